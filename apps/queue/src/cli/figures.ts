/** What `queues` and `stats` print. */
import { approximateBytes, table } from '@rookery/service';
import type { Figures, QueueStats } from '../client/index.ts';
import { plain } from './describe.ts';
import { type Target, withClient } from './target.ts';

export function listQueues(target: Target, json: boolean, signal: AbortSignal): Promise<string> {
  return withClient(target, signal, async (client) => {
    const queues = await client.queues({ signal });
    if (json) return queues.map((queue) => `${JSON.stringify(queueJson(queue))}\n`).join('');
    return queues.length === 0 ? 'There is no queue.\n' : queuesTable(queues);
  });
}

function queuesTable(queues: readonly QueueStats[]): string {
  return table(
    ['queue', 'messages', 'size', 'open', 'waiting', 'age'],
    queues.map((queue) => [
      plain(queue.name),
      queue.messages,
      approximateBytes(queue.bytes),
      queue.openReads,
      queue.waitingReads,
      ageOf(queue.ageMs),
    ]),
  );
}

/** The stable form for programs: docs/run-the-queue.md. */
export function queueJson(queue: QueueStats): Record<string, unknown> {
  return {
    name: queue.name,
    messages: queue.messages,
    bytes: queue.bytes,
    age_ms: queue.ageMs,
    open_reads: queue.openReads,
    waiting_reads: queue.waitingReads,
    put_total: queue.putTotal,
    expired_total: queue.expiredTotal,
    discarded_total: queue.discardedTotal,
    refused_total: queue.refusedTotal,
    opened_total: queue.openedTotal,
    aborted_total: queue.abortedTotal,
  };
}

/** Those of a queue, or of the server. */
export function showStats(
  target: Target,
  name: string | undefined,
  json: boolean,
  signal: AbortSignal,
): Promise<string> {
  return withClient(target, signal, async (client) => {
    if (name === undefined) return figuresText(await client.stats({ signal }), json);
    const stats = await client.queue(name).stats({ signal });
    if (stats === undefined) throw new Error(`there is no queue ${JSON.stringify(name)}`);
    return figuresText(stats.figures, json);
  });
}

/** Under the server's own names; what is a number is one in JSON. */
function figuresText(figures: Figures, json: boolean): string {
  if (!json)
    return table(
      ['figure', 'value'],
      [...figures].map(([name, value]) => [name, plain(value)]),
    );
  const entries = [...figures].map(([name, value]) => [
    name,
    /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value,
  ]);
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

/** Two parts at most: `3 d 4 h`, `12 s`. */
export function ageOf(ms: number): string {
  if (ms < 1000) return ms === 0 ? '' : `${ms} ms`;
  const seconds = Math.floor(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
