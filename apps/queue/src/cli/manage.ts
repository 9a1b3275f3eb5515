/** Commands on whole queues. */
import { ServiceError, table } from '@rookery/service';
import type { QueueClient } from '../client/index.ts';
import { showProgress } from './progress.ts';
import { type Target, withClient } from './target.ts';

/** Drops the messages of queues, or of all; tells what went. */
export function flush(
  target: Target,
  names: readonly string[],
  all: boolean,
  signal: AbortSignal,
): Promise<void> {
  return withClient(target, signal, async (client) => {
    if (all) {
      const queues = await client.queues({ signal });
      await client.flushAll();
      const messages = queues.reduce((sum, queue) => sum + queue.messages, 0);
      print(`${count(messages)} dropped from ${queues.length} queues\n`);
    }
    for (const name of names) print(await flushOne(client, name, signal));
  });
}

async function flushOne(client: QueueClient, name: string, signal: AbortSignal): Promise<string> {
  const queue = client.queue(name);
  const stats = await queue.stats({ signal });
  if (stats === undefined) throw new Error(`there is no queue ${JSON.stringify(name)}`);
  await queue.flush();
  return `${name}: ${count(stats.messages)} dropped\n`;
}

/** Drops queues with their messages; tells what went. */
export function deleteQueues(target: Target, names: readonly string[], signal: AbortSignal): Promise<void> {
  return withClient(target, signal, async (client) => {
    for (const name of names) {
      const queue = client.queue(name);
      const messages = (await queue.stats({ signal }))?.messages ?? 0;
      if (!(await queue.delete())) throw new Error(`there is no queue ${JSON.stringify(name)}`);
      print(`${name}: deleted, with ${count(messages)}\n`);
    }
  });
}

export interface RedriveRequest {
  readonly from: string;
  /** Without it, each goes where it came from. */
  readonly to: string | undefined;
  readonly count: number;
}

/** Puts dead letters back, or moves messages to another queue; tells how many. */
export function redrive(target: Target, request: RedriveRequest, signal: AbortSignal): Promise<void> {
  const { from, to, count: most } = request;
  return withClient(target, signal, async (client) => {
    const queue = client.queue(from);
    const stats = await queue.stats({ signal });
    if (stats === undefined) throw new Error(`there is no queue ${JSON.stringify(from)}`);
    const total = Math.min(stats.messages, most);
    let moved: number;
    {
      using progress = showProgress('moved');
      moved = await queue.redrive({
        count: most,
        signal,
        onProgress: (done) => progress.update(done, Math.max(done, total)),
        ...(to === undefined ? {} : { to }),
      });
    }
    print(`${count(moved)} ${to === undefined ? 'put back' : `moved to ${to}`}\n`);
  });
}

export function pause(
  target: Target,
  names: readonly string[],
  paused: boolean,
  signal: AbortSignal,
): Promise<void> {
  return withClient(target, signal, async (client) => {
    for (const name of names) {
      const queue = client.queue(name);
      await (paused ? queue.pause({ signal }) : queue.resume({ signal }));
    }
  });
}

/** Prints the settings in force, or changes some: `name=value`, and `name=` for what the settings file says. */
export function settings(
  target: Target,
  name: string,
  changes: readonly string[],
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  return withClient(target, signal, async (client) => {
    const queue = client.queue(name);
    if (changes.length > 0) return queue.configure(parseChanges(changes), { signal });
    const found = await queue.settings({ signal });
    if (found === undefined) throw new Error(`there is no queue ${JSON.stringify(name)}`);
    if (json) return print(`${JSON.stringify(found)}\n`);
    const rows = Object.entries(found).map(([key, value]) => [key, value === null ? '' : String(value)]);
    print(table(['setting', 'value'], rows));
  });
}

function parseChanges(changes: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(
    changes.map((change) => {
      const cut = change.indexOf('=');
      if (cut < 1) throw new ServiceError('USAGE', `${JSON.stringify(change)}: give name=value`);
      return [change.slice(0, cut), change.slice(cut + 1) || null];
    }),
  );
}

/** Each as it is done: another may fail. */
function print(line: string): void {
  process.stdout.write(line);
}

function count(messages: number): string {
  return `${messages} message${messages === 1 ? '' : 's'}`;
}
