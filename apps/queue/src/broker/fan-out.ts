import type { PutOptions, PutOutcome, Queue } from '../queue/queue.ts';
import type { Message, MessageProperties, Store } from '../store/store.ts';
import type { Registry } from './registry.ts';
import type { WriteTarget } from './targets.ts';

type Refusal = Exclude<PutOutcome, 'stored'>;
type Options = PutOptions | undefined;

/** What a copy of a message costs in the store beside its body, amply. */
const recordBytes = 128;

/**
 * A put to aliases, to several names, and to fanout children: all of them take the message, or the put is refused.
 * Returns those who took it, or why none did.
 * @throws BrokerError `too-many-queues`; StoreError, and then nobody took it
 */
export function putToMany(
  registry: Registry,
  store: Store,
  target: WriteTarget,
  properties: MessageProperties,
  buffer: Uint8Array,
  start: number,
  end: number,
): Iterable<Queue> | Refusal {
  const now = properties.addedAt;
  const { options } = target;
  const takers = takersOf(registry, target, end - start, options, now);
  if (typeof takers === 'string') return takers;
  // More than the store can take at a time would be "busy" for ever.
  if (takers.size * (end - start + recordBytes) > store.maxChangeBytes) return 'too-large';
  // First all into the store, then all into the queues, so that a store that refuses in the middle leaves nothing
  // that a reader could have seen.
  const appended: [Queue, Message][] = [];
  try {
    for (const queue of takers) {
      appended.push([queue, queue.store(properties, buffer, start, end, options)]);
    }
  } catch (error) {
    for (const [queue, message] of appended) queue.unstore(message);
    throw error;
  }
  for (const [queue, message] of appended) queue.arrived(message, now);
  return takers;
}

function takersOf(
  registry: Registry,
  target: WriteTarget,
  bytes: number,
  options: Options,
  now: number,
): Set<Queue> | Refusal {
  const takers = new Set<Queue>();
  let known = false;
  for (const named of target.queues) {
    for (const name of registry.aliasesOf(named) ?? [named]) {
      const queue = registry.findOrCreate(name, now);
      // Also of one that keeps nothing itself.
      queue.lastUsedAt = now;
      if (!queue.settings.fanoutOnly && options !== undefined && queue.knows(options, now)) known = true;
      else if (!queue.settings.fanoutOnly) {
        const refusal = queue.refusal(bytes);
        if (refusal !== undefined) {
          queue.refusedTotal += 1;
          return refusal;
        }
        takers.add(queue);
      }
      for (const child of registry.childrenOf(name) ?? []) {
        if (options !== undefined && child.knows(options, now)) {
          known = true;
          continue;
        }
        // A child that is full refuses for itself: what one listener neglects must not stop the writers.
        if (child.refusal(bytes) === undefined) takers.add(child);
        else child.refusedTotal += 1;
      }
    }
  }
  return known && takers.size === 0 ? 'duplicate' : takers;
}
