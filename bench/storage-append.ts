/**
 * What the log costs by itself: `npm exec -- node --conditions=@rookery/source bench/storage-append.ts [MESSAGES] [FOLDER]`.
 * One queue-like stream of 100-byte messages on the real disk, under the system's temporary folder unless told.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Entry,
  type Log,
  type LogStats,
  nodeDisk,
  openLog,
  type Stream,
  type SyncMode,
} from '@rookery/storage';

const COUNT = Number(process.argv[2] ?? 5_000_000);
const BODY = Buffer.alloc(100, 'm');
const HEAD = new Uint8Array(0);
const root = await mkdtemp(join(process.argv[3] ?? tmpdir(), 'rookery-bench-'));

function open(directory: string, sync: SyncMode): Promise<Log> {
  return openLog({ disk: nodeDisk, directory: join(root, directory), sync });
}

function report(what: string, milliseconds: number, count: number): void {
  const each = (milliseconds * 1e6) / count;
  const rate = Math.round(count / (milliseconds / 1000)).toLocaleString('en');
  console.log(`${what.padEnd(58)} ${each.toFixed(0).padStart(8)} ns each  ${rate.padStart(12)}/s`);
}

async function timed(work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let worst = 0;

/** Of this thread: what others do to the machine doesn't count. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Appends in turns of so many; returns the time within `append` and that of all, the disk included. */
async function fill(stream: Stream, log: Log, count: number, perTurn: number): Promise<[number, number]> {
  let inside = 0;
  const all = await timed(async () => {
    for (let done = 0; done < count; done += perTurn) {
      const start = performance.now();
      for (let i = 0; i < perTurn; i++) stream.append(HEAD, BODY, 0, BODY.length);
      inside += performance.now() - start;
      const ended = cpuMs();
      await turn();
      worst = Math.max(worst, cpuMs() - ended);
      while (log.congested) await turn();
    }
    await log.sync();
  });
  return [inside, all];
}

const log = await open('deep', 'never');
const stream = log.createStream('queue');
await fill(stream, log, 200_000, 500);
stream.acknowledgeThrough(stream.nextSequence - 1);
const [inside, all] = await fill(stream, log, COUNT, 500);
report('append, 500 a turn: within the call', inside, COUNT);
report('append, 500 a turn: with its writes and footers', all, COUNT);
await log.close();
console.log(`longest turn beside the appends themselves: ${worst.toFixed(1)} ms of this thread`);

globalThis.gc?.();
const before = process.memoryUsage();
let again!: Log;
const opening = await timed(async () => {
  again = await open('deep', 'never');
});
globalThis.gc?.();
const after = process.memoryUsage();
const added = (after.heapUsed + after.external - before.heapUsed - before.external) / 1e6;
console.log(
  `reopen with ${COUNT.toLocaleString('en')} waiting: ${opening.toFixed(0)} ms, ${added.toFixed(1)} MB more memory`,
);

const deep = again.streams.get('queue')!;
if (deep.liveCount !== COUNT) throw new Error(`${deep.liveCount} of ${COUNT} are there`);
let entries: Entry[] = [];
let read = 0;
let acknowledging = 0;
const reading = await timed(async () => {
  let after = 0;
  for (;;) {
    entries = await deep.read(after, { maxEntries: 2000, maxBytes: 1_000_000 });
    if (entries.length === 0) break;
    after = entries.at(-1)!.sequence;
    read += entries.length;
    const start = performance.now();
    for (const entry of entries) deep.acknowledge(entry);
    acknowledging += performance.now() - start;
  }
});
report('read in order, 2,000 a call', reading - acknowledging, read);
report('acknowledge in order', acknowledging, read);
await again.close();

for (const sync of ['always', { everyMs: 20 }, 'never'] as const) {
  const name = typeof sync === 'string' ? sync : `every ${sync.everyMs} ms`;
  const one = await open(`batch-${name.replaceAll(' ', '-')}`, sync);
  const target = one.createStream('queue');
  await one.sync();
  const started: LogStats = one.stats;
  const turns = 2000;
  const time = await timed(async () => {
    for (let i = 0; i < turns; i++) {
      for (let j = 0; j < 50; j++) target.append(HEAD, BODY, 0, BODY.length);
      const wanted = one.position;
      while (one.committedPosition < wanted) await turn();
    }
  });
  report(`committed, 50 a batch, sync ${name}`, time, turns * 50);
  const { writes, syncs } = one.stats;
  console.log(`  ${writes - started.writes} writes and ${syncs - started.syncs} syncs for ${turns} batches`);
  await one.close();
}

const many = await open('many', 'never');
for (let i = 0; i < 10_000; i++) {
  many.createStream(`queue-${i}`).append(HEAD, BODY, 0, BODY.length);
  if (i % 500 === 0) await turn();
}
await many.close();
const openingMany = await timed(async () => {
  again = await open('many', 'never');
});
console.log(`reopen with 10,000 streams of one message each: ${openingMany.toFixed(0)} ms`);
await again.close();
await rm(root, { recursive: true });
