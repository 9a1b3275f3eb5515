/**
 * Uneven consumption: how much of the disk the log keeps. Eight queues are filled and emptied in waves of their own, and
 * one is hardly read at all, so that something lives in every segment. Each second the files are held against the bound
 * that docs/internals/storage.md promises: 2 x what lives + 2 segments.
 * `npm exec -- node --conditions=@rookery/source bench/queue/uneven.ts [--hours 1] [--rate 20000] [--docs FILE]`
 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { memory } from './measure.ts';
import { replaceBetweenMarkers } from './report.ts';
import { startRookery } from './systems/rookery.ts';

const { values: options } = parseArgs({
  options: {
    hours: { type: 'string', default: '1' },
    /** Puts a second, of all queues together. */
    rate: { type: 'string', default: '20000' },
    docs: { type: 'string' },
  },
});
const endMs = Number(options.hours) * 3_600_000;
const putsPerSecond = Number(options.rate);
const segmentBytes = 64 * 1024 * 1024;
const tickMs = 50;
const queues = 8;

interface Feed {
  readonly name: string;
  readonly socket: Socket;
  /** Replies that are to come. */
  waiting: number;
}

await using folder = await temporaryFolder('rookery-uneven-');
await using running = await startRookery({ folder: folder.path, flags: ['--sync', '1000'] });
const admin = (JSON.parse(running.server.ready![0]) as { admin: string }).admin;
const body = 'x'.repeat(100);
const feeds = Array.from({ length: queues }, (_, index) => dial(`uneven-${index}`));

let puts = 0;
let gets = 0;
let most = { share: 0, diskBytes: 0, liveBytes: 0, atSeconds: 0 };
let over = 0;
let samples = 0;
let largest = 0;
const started = performance.now();
const elapsed = (): number => performance.now() - started;
let nextSample = 1000;
let nextTold = 0;
while (elapsed() < endMs) {
  for (const [index, feed] of feeds.entries()) drive(feed, index, elapsed() / 1000);
  await delay(tickMs);
  if (elapsed() < nextSample) continue;
  nextSample += 1000;
  const [diskBytes, liveBytes] = await Promise.all([bytesOf(join(folder.path, 'data')), live()]);
  const share = diskBytes / (2 * liveBytes + 2 * segmentBytes);
  samples += 1;
  if (share > 1) over += 1;
  if (share > most.share) most = { share, diskBytes, liveBytes, atSeconds: Math.round(elapsed() / 1000) };
  largest = Math.max(largest, liveBytes);
  if (elapsed() < nextTold) continue;
  nextTold += 10_000;
  console.error(
    `${Math.round(elapsed() / 1000)} s: ${megabytes(diskBytes)} MB of files, ${megabytes(liveBytes)} MB live, ${Math.round(share * 100)} % of the bound`,
  );
}
const { peak } = await memory(running.server);
const text = [
  `${new Date().toISOString().slice(0, 10)}: ${(elapsed() / 60_000).toFixed(1)} minutes, ${puts.toLocaleString('en')} puts of 100 bytes, ${gets.toLocaleString('en')} gets asked for, ${samples} looks at the files.`,
  `At most ${Math.round(most.share * 100)} % of the bound (${megabytes(most.diskBytes)} MB with ${megabytes(most.liveBytes)} MB live, after ${most.atSeconds} s); over it ${over} times;`,
  `at most ${megabytes(largest)} MB lived; the server held ${Math.round(peak)} MB of memory at most.`,
].join('\n');
console.log(text);
if (options.docs !== undefined) {
  await writeFile(options.docs, replaceBetweenMarkers(await readFile(options.docs, 'utf8'), text, 'uneven'));
}
for (const { socket } of feeds) socket.destroy();

function dial(name: string): Feed {
  const feed: Feed = { name, socket: connect(running.port, '127.0.0.1'), waiting: 0 };
  let rest = '';
  // STORED and END alike end a reply; a body holds neither.
  feed.socket.setEncoding('latin1').on('data', (some: string) => {
    const text = rest + some;
    feed.waiting -= text.split('D\r\n').length - 1;
    rest = text.slice(-2);
    if (some.includes('ERROR')) throw new Error(some);
  });
  return feed;
}

/** A queue is put to all the time, and read in waves: one of a minute, one of five, one of twenty. The last is not. */
function drive(feed: Feed, index: number, seconds: number): void {
  // A server that can't keep up is not to be given more.
  if (feed.waiting > 50_000) return;
  const put = Math.round((putsPerSecond / queues) * (tickMs / 1000));
  const period = [60, 300, 1200][index % 3]!;
  const wave = Math.sin((2 * Math.PI * seconds) / period + index);
  const get = index === queues - 1 ? Math.round(put / 2) : wave > 0 ? Math.round(put * 2.5 * wave) + put : 0;
  puts += put;
  gets += get;
  feed.waiting += put + get;
  feed.socket.write(
    `set ${feed.name} 0 0 100\r\n${body}\r\n`.repeat(put) + `get ${feed.name}\r\n`.repeat(get),
  );
}

async function live(): Promise<number> {
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  const found = metrics.match(/^rookery_queue_log_live_bytes (\S+)$/m);
  if (found === null) throw new Error('the metrics tell no live bytes');
  return Number(found[1]);
}

async function bytesOf(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    // One that is removed while this looks is none.
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
