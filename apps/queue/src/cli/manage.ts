/** Commands on whole queues. */
import type { QueueClient } from '../client/index.ts';
import { withClient } from './target.ts';

/** Drops the messages of queues, or of all; tells what went. */
export function flush(
  target: string,
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
export function deleteQueues(target: string, names: readonly string[], signal: AbortSignal): Promise<void> {
  return withClient(target, signal, async (client) => {
    for (const name of names) {
      const queue = client.queue(name);
      const messages = (await queue.stats({ signal }))?.messages ?? 0;
      if (!(await queue.delete())) throw new Error(`there is no queue ${JSON.stringify(name)}`);
      print(`${name}: deleted, with ${count(messages)}\n`);
    }
  });
}

/** Each as it is done: another may fail. */
function print(line: string): void {
  process.stdout.write(line);
}

function count(messages: number): string {
  return `${messages} message${messages === 1 ? '' : 's'}`;
}
