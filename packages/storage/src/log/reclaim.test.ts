import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, SimulatedClock, SimulatedDisk, temporaryFolder } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { DiskError } from '../disk/disk.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { openLog } from './open.ts';
import type { Entry, Log, LogEvent, LogOptions, Stream } from './types.ts';

const NONE = new Uint8Array(0);
const SEGMENT = 64 * 1024;
const SMALL = { segmentBytes: SEGMENT, maxPayloadBytes: 2048, backlogBytes: 8192, reserveBytes: 16_384 };

async function readAll(stream: Stream): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const some = await stream.read(all.at(-1)?.sequence ?? 0, { maxEntries: 50, maxBytes: 50_000 });
    if (some.length === 0) return all;
    all.push(...some);
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('reclaim', () => {
  test('keeps the files under twice what lives plus two segments, while a slow stream pins old messages', async () => {
    await using folder = await temporaryFolder();
    const random = new Random(7);
    const log = await openLog({ disk: nodeDisk, directory: folder.path, sync: 'never', ...SMALL });
    const streams = ['slow', 'fast 1', 'fast 2', 'fast 3'].map((name) => ({
      stream: log.createStream(name),
      waiting: [] as { entry: Entry; body: Buffer }[],
      keep: name === 'slow' ? 400 : 30,
    }));
    for (let step = 0; step < 15_000; step++) {
      const target = random.chance(0.05) ? streams[0]! : streams[1 + random.below(3)]!;
      const body = random.bytes(random.below(300));
      target.waiting.push({ entry: target.stream.append(NONE, body, 0, body.length), body });
      while (target.waiting.length > target.keep) {
        const at = random.chance(0.7) ? 0 : random.below(target.waiting.length);
        target.stream.acknowledge(target.waiting.splice(at, 1)[0]!.entry);
      }
      if (step % 20 === 0) await log.sync();
      if (step % 500 !== 499) continue;
      // It follows a moment behind.
      await expect
        .poll(() => overBound(log, folder.path), { interval: 5, timeout: 20_000 })
        .toBeLessThanOrEqual(0);
    }
    expect(log.stats.carriedBytes).toBeGreaterThan(0);
    expect(log.stats.removedSegments).toBeGreaterThan(20);
    for (const { stream, waiting } of streams) {
      const got = await readAll(stream);
      expect(got.map((entry) => entry.sequence)).toEqual(waiting.map(({ entry }) => entry.sequence));
      for (const [at, entry] of got.entries()) {
        expect(entry.buffer.subarray(entry.start, entry.end).equals(waiting[at]!.body)).toBe(true);
      }
      // Entries from long ago count where they were carried to.
      for (const { entry } of waiting) stream.acknowledge(entry);
      expect(stream.liveCount).toBe(0);
    }
    expect(log.stats.liveBytes).toBe(0);
    await log.close();
  });

  test('counts every message once, wherever a crash cuts a carrying off', async () => {
    let cutWhileCarrying = 0;
    for (let crashAt = 1; crashAt < 160; crashAt += 3) {
      const clock = new SimulatedClock();
      const disk = new SimulatedDisk({
        clock,
        random: new Random(crashAt),
        makeError: (code, message) => new DiskError(code, message),
      });
      const events: LogEvent[] = [];
      const expected = await carryUntilCrash(clock, disk, events, crashAt);
      const carried = events.filter((event) => event.type === 'segment-removed').length;
      if (disk.down && carried < 3) cutWhileCarrying++;
      for (const again of [1, 2]) {
        disk.restart();
        const life = clock.life();
        const log = await done(clock, openLog(options(disk, life)));
        const stream = log.streams.get('work')!;
        expect(stream.liveCount, `crash ${crashAt}, opening ${again}`).toBe(expected.length);
        const got = await done(clock, readAll(stream));
        expect(got.map((entry) => entry.sequence)).toEqual(expected);
        // What was begun is carried anew; after that it is there once, too.
        if (again === 1) await clock.advance(3000);
        await done(clock, log.close());
        life.end();
      }
    }
    expect(cutWhileCarrying).toBeGreaterThan(5);
  });
});

type SimulatedLife = ReturnType<SimulatedClock['life']>;

function options(disk: SimulatedDisk, life: SimulatedLife): LogOptions {
  return {
    disk,
    directory: '/log',
    sync: 'always',
    clock: life,
    randomBytes: (size) => Buffer.alloc(size, 7),
    segmentBytes: 4096,
    maxPayloadBytes: 1024,
    backlogBytes: 1024,
    reserveBytes: 4096,
  };
}

/** Makes mostly dead segments, and crashes so many disk operations after the acknowledgements; returns what lives. */
async function carryUntilCrash(
  clock: SimulatedClock,
  disk: SimulatedDisk,
  events: LogEvent[],
  crashAt: number,
): Promise<number[]> {
  const life = clock.life();
  const log = await done(clock, openLog({ ...options(disk, life), onEvent: (event) => events.push(event) }));
  const stream = log.createStream('work');
  const entries: Entry[] = [];
  for (let at = 0; at < 80; at++) {
    entries.push(stream.append(NONE, Buffer.alloc(200, at), 0, 200));
    await done(clock, log.sync());
  }
  await clock.advance(3000);
  const dead = entries.filter((_, at) => at % 4 !== 0);
  for (const entry of dead) stream.acknowledge(entry);
  await done(clock, log.sync());
  disk.crashAfter(crashAt, 'power');
  await clock.advance(3000);
  if (!disk.down) disk.crash();
  return entries.filter((_, at) => at % 4 === 0).map((entry) => entry.sequence);
}

async function done<T>(clock: SimulatedClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  await clock.runUntil(() => settled, 'the log');
  return promise;
}

async function overBound(log: Log, directory: string): Promise<number> {
  await pause();
  let bytes = (await stat(join(directory, 'reserve'))).size;
  for (const name of await readdir(join(directory, 'segments'))) {
    bytes += await stat(join(directory, 'segments', name)).then(
      (found) => found.size,
      () => 0,
    );
  }
  return bytes - 2 * log.stats.liveBytes - 2 * SEGMENT;
}
