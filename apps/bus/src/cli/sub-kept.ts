/** `sub --from`, `--filter`, `--last-value`: what daemons keep of groups, and then what comes. */
import { createOutput, type Output } from '@rookery/service';
import type { FieldValue, Filter, From, Subscription, SubscriptionEvent } from '../client/index.ts';
import { explained, openBus, type Target } from './connection.ts';
import { keptJson, messageLine } from './describe-event.ts';

export interface SubKeptOptions {
  readonly from: From | undefined;
  readonly filter: Filter;
  readonly lastValue: boolean;
  readonly json: boolean;
  /** Messages after which it ends. */
  readonly count: number | undefined;
  readonly name: string | undefined;
}

/** Prints until `signal`, until nobody reads, or until enough has come; then says where to go on. */
export async function subKept(
  target: Target,
  groups: readonly string[],
  options: SubKeptOptions,
  signal: AbortSignal,
): Promise<void> {
  const { name, from, filter, lastValue, json, count = Number.POSITIVE_INFINITY } = options;
  const bus = await openBus(target, signal, { membership: false, ...(name === undefined ? {} : { name }) });
  const output = createOutput(process.stdout, signal);
  output.ended.addEventListener('abort', () => void bus.close(), { once: true });
  const terminal = process.stdout.isTTY === true;
  let left = count;
  const print = async (subscription: Subscription): Promise<void> => {
    // hot: once per event. What isn't read here waits in the daemon's log.
    while (left > 0 && !output.ended.aborted) {
      const { value: event, done } = await subscription.next();
      // Another group's loop may have printed the last one meanwhile.
      if (done || left <= 0) return;
      if (event.kind === 'message') left--;
      const wait = write(output, event, subscription.group, json, terminal);
      if (wait !== undefined) await wait;
    }
    await bus.close();
  };
  try {
    const subscriptions = await Promise.all(
      [...new Set(groups)].map((group) =>
        bus.subscribe(group, { filter, lastValue, ...(from === undefined ? {} : { from }) }),
      ),
    );
    await Promise.all(subscriptions.map(print));
    await output.flush();
    for (const { group, cursor } of subscriptions) {
      if (cursor !== undefined) process.stderr.write(`* ${group}: go on with --from ${cursor}\n`);
    }
  } catch (error) {
    if (!output.ended.aborted) throw explained(error);
  } finally {
    await bus.close();
  }
}

function write(
  output: Output,
  event: SubscriptionEvent,
  group: string,
  json: boolean,
  terminal: boolean,
): Promise<void> | undefined {
  if (json) return output.write(keptJson(event, group));
  if (event.kind === 'message') return output.write(messageLine(event.data, terminal));
  if (event.kind === 'missed')
    process.stderr.write(`* ${group}: up to ${event.count} messages are no longer kept\n`);
  return undefined;
}

/** `key=web.*`, `word=error`, `.status=404`; several of one kind are alternatives. `undefined` for what is none. */
export function parseFilters(texts: readonly string[]): Filter | undefined {
  const keys: string[] = [];
  const words: string[] = [];
  const fields: Record<string, FieldValue[]> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const [name, value] = [text.slice(0, at), text.slice(at + 1)];
    if (at < 1 || value === '') return undefined;
    if (name === 'key') keys.push(value);
    else if (name === 'word') words.push(value);
    else if (/^\.[^.]/.test(name)) {
      const path = name.slice(1);
      fields[path] = [...(fields[path] ?? []), ...fieldValues(value)];
    } else return undefined;
  }
  return {
    ...(keys.length > 0 ? { keys } : {}),
    ...(words.length > 0 ? { words } : {}),
    ...(Object.keys(fields).length > 0 ? { fields } : {}),
  };
}

/** `404` means the number and the text alike. */
function fieldValues(value: string): FieldValue[] {
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === 'string') return [parsed];
    if (typeof parsed === 'number' || typeof parsed === 'boolean' || parsed === null) return [parsed, value];
  } catch {
    // It is a text.
  }
  return [value];
}
