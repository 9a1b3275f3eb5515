import type { Clock, Timer } from '@rookery/storage';
import { type Slot, stepMessages } from '../queue/delays/delays.ts';
import type { Queue } from '../queue/queue.ts';
import type { Message } from '../store/store.ts';
import type { Registry } from './registry.ts';
import { timerMsMax } from './timer.ts';

/** Makes delayed messages ready when their time has come, reading the store for them. */
export interface Delayer {
  /** Something of the queue was delayed: looks at it when it is time to. */
  watch(queue: Queue): void;
  stop(): void;
}

/** One read of the store. */
const readBytes = 1024 * 1024;
/** After a failure, such as a full disk. */
const retryMs = 1000;
/** Messages that are due within so long become ready together. */
const watchMs = 10;
/** Sequences that lie closer together are read in one go with what stands between them. */
const gap = 16;

export function createDelayer(
  registry: Registry,
  clock: Clock,
  onReady: (queue: Queue) => void,
  onError: (error: Error) => void,
): Delayer {
  const timers = new Map<Queue, { readonly timer: Timer; readonly at: number }>();
  const running = new Set<Queue>();
  let stopped = false;

  function watch(queue: Queue): void {
    const { delays } = queue;
    if (delays === undefined || running.has(queue) || stopped) return;
    arm(queue, delays.nextAt);
  }

  function arm(queue: Queue, at: number): void {
    const known = timers.get(queue);
    if (known !== undefined) {
      if (known.at <= at) return;
      clock.clearTimeout(known.timer);
      timers.delete(queue);
    }
    if (at === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(watchMs, at - clock.now()), timerMsMax);
    const timer = clock.setTimeout(() => {
      timers.delete(queue);
      void run(queue);
    }, delayMs);
    timers.set(queue, { timer, at });
  }

  async function run(queue: Queue): Promise<void> {
    running.add(queue);
    let retry = false;
    try {
      while (!stopped && registry.queues.get(queue.name) === queue && (await step(queue))) {
        await new Promise<void>((resolve) => clock.defer(resolve));
      }
    } catch (error) {
      retry = true;
      onError(error as Error);
    }
    running.delete(queue);
    if (stopped || registry.queues.get(queue.name) !== queue) return;
    if (retry) arm(queue, clock.now() + retryMs);
    else watch(queue);
  }

  /** False: there is nothing to do now. @throws StoreError, BrokerError */
  async function step(queue: Queue): Promise<boolean> {
    const next = queue.delays!.next(clock.now());
    if (next === undefined) return false;
    if (next.kind === 'open') await openSlot(queue, next.slot);
    else await makeReady(queue, next.slot, next.sequences);
    return true;
  }

  async function openSlot(queue: Queue, slot: Slot): Promise<void> {
    const through = slot.lane.lastSequence;
    const messages = await slot.lane.read(slot.readThrough, stepMessages, readBytes);
    if (!stopped) queue.delays!.opened(slot, messages, through, clock.now());
  }

  async function makeReady(queue: Queue, slot: Slot, sequences: readonly number[]): Promise<void> {
    let messages: Message[];
    try {
      messages = await readThese(slot, sequences);
    } catch (error) {
      queue.delays!.putOff(slot, sequences, clock.now());
      throw error;
    }
    if (stopped || registry.queues.get(queue.name) !== queue) return;
    messages.sort(
      (a, b) => a.carried!.dueAt - b.carried!.dueAt || a.addedAt - b.addedAt || a.sequence - b.sequence,
    );
    const now = clock.now();
    for (const [index, message] of messages.entries()) {
      try {
        queue.becomeReady(message, now);
      } catch (error) {
        const left = messages.slice(index).map(({ sequence }) => sequence);
        queue.delays!.putOff(slot, left, now);
        throw error;
      }
    }
    onReady(queue);
  }

  for (const queue of registry.queues.values()) watch(queue);

  return {
    watch,
    stop() {
      stopped = true;
      for (const { timer } of timers.values()) clock.clearTimeout(timer);
      timers.clear();
    },
  };
}

/** Those of the messages that are there still. Their sequences ascend. */
async function readThese({ lane }: Slot, sequences: readonly number[]): Promise<Message[]> {
  const wanted = new Set(sequences);
  const found: Message[] = [];
  for (let from = 0; from < sequences.length; ) {
    let to = from + 1;
    while (to < sequences.length && sequences[to]! - sequences[to - 1]! <= gap) to += 1;
    const first = sequences[from]!;
    const last = sequences[to - 1]!;
    let after = first - 1;
    while (after < last) {
      const messages = await lane.read(after, last - after, readBytes);
      if (messages.length === 0) break;
      for (const message of messages) if (wanted.has(message.sequence)) found.push(message);
      after = messages.at(-1)!.sequence;
    }
    from = to;
  }
  return found;
}
