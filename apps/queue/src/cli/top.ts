/** A live view of the queues. */
import { setTimeout as delay } from 'node:timers/promises';
import { approximateBytes, createOutput, table } from '@rookery/service';
import type { QueueStats } from '../client/index.ts';
import { plain } from './describe.ts';
import { ageOf, queueJson } from './figures.ts';
import { type Target, withClient } from './target.ts';

export interface TopOptions {
  readonly intervalMs: number;
  /** For programs: an object a look. */
  readonly json: boolean;
  /** Looks after which it ends. */
  readonly count: number;
}

export interface Rates {
  readonly putPerSecond: number;
  /** Taken, acknowledged, expired, discarded or flushed. */
  readonly gonePerSecond: number;
}

export interface Row extends QueueStats {
  readonly rates: Rates;
}

const HOME_AND_CLEAR = '\u001b[H\u001b[J';
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** Looks again and again, until `signal` or enough. */
export async function top(target: Target, options: TopOptions, signal: AbortSignal): Promise<void> {
  const { intervalMs, json, count } = options;
  await withClient(target, signal, async (client) => {
    const screen = process.stdout.isTTY === true && !json;
    const output = createOutput(process.stdout, signal);
    if (screen) process.stdout.write(ENTER);
    try {
      let before = new Map<string, QueueStats>();
      let beforeMs = 0;
      for (let looks = 0; looks < count && !output.ended.aborted; looks++) {
        const queues = await client.queues({ signal: output.ended });
        const nowMs = performance.now();
        const rows = rowsOf(queues, before, looks === 0 ? 0 : (nowMs - beforeMs) / 1000);
        if (json) await output.write(`${JSON.stringify(topJson(rows, new Date()))}\n`);
        else {
          const { rows: height = 24, columns = 80 } = process.stdout;
          const text = topText(rows, target.address, new Date());
          await output.write(screen ? `${HOME_AND_CLEAR}${fitted(text, height, columns)}` : `${text}\n`);
        }
        before = new Map(queues.map((queue) => [queue.name, queue]));
        beforeMs = nowMs;
        if (looks + 1 < count) await delay(intervalMs, undefined, { signal: output.ended });
      }
    } catch (error) {
      if (!output.ended.aborted) throw error;
    } finally {
      if (screen) process.stdout.write(LEAVE);
    }
  });
}

/** With the rates since the last look; `seconds` of 0: there was none. */
export function rowsOf(
  queues: readonly QueueStats[],
  before: ReadonlyMap<string, QueueStats>,
  seconds: number,
): Row[] {
  return queues.map((queue) => {
    const last = before.get(queue.name);
    if (seconds <= 0) return { ...queue, rates: { putPerSecond: 0, gonePerSecond: 0 } };
    // A queue that was deleted and made anew, or a server that was started again, counts from nothing.
    const since = last !== undefined && last.putTotal <= queue.putTotal ? last : undefined;
    const put = queue.putTotal - (since?.putTotal ?? 0);
    const gone = put - (queue.messages - (since?.messages ?? 0));
    return {
      ...queue,
      rates: {
        putPerSecond: Math.round(put / seconds),
        gonePerSecond: Math.round(Math.max(0, gone) / seconds),
      },
    };
  });
}

function topJson(rows: readonly Row[], time: Date): unknown {
  return {
    time: time.toISOString(),
    queues: rows.map(({ rates, ...queue }) => ({
      ...queueJson(queue),
      put_per_second: rates.putPerSecond,
      gone_per_second: rates.gonePerSecond,
    })),
  };
}

/** The busiest first, then the deepest. */
export function topText(rows: readonly Row[], server: string, time: Date): string {
  const total = rows.reduce(
    (sum, { messages, bytes, rates }) => ({
      messages: sum.messages + messages,
      bytes: sum.bytes + bytes,
      put: sum.put + rates.putPerSecond,
      gone: sum.gone + rates.gonePerSecond,
    }),
    { messages: 0, bytes: 0, put: 0, gone: 0 },
  );
  const busy = ({ rates }: Row): number => rates.putPerSecond + rates.gonePerSecond;
  const sorted = [...rows].sort((a, b) => busy(b) - busy(a) || b.messages - a.messages);
  const head = `${server}  ${time.toTimeString().slice(0, 8)}  ${rows.length} ${rows.length === 1 ? 'queue' : 'queues'}, ${total.messages} messages (${approximateBytes(total.bytes)}), ${total.put} in/s, ${total.gone} out/s`;
  return `${head}\n\n${table(
    ['queue', 'messages', 'in/s', 'out/s', 'open', 'waiting', 'size', 'age'],
    sorted.map((row) => [
      plain(row.name),
      row.messages,
      row.rates.putPerSecond,
      row.rates.gonePerSecond,
      row.openReads,
      row.waitingReads,
      approximateBytes(row.bytes),
      ageOf(row.ageMs),
    ]),
  )}`;
}

/** What the terminal has room for. */
function fitted(text: string, height: number, columns: number): string {
  return text
    .split('\n')
    .slice(0, height - 1)
    .map((line) => line.slice(0, columns))
    .join('\n');
}
