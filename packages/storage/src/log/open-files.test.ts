import { Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { type Disk, DiskError } from '../disk/disk.ts';
import { openLog } from './open.ts';
import type { Log, Stream } from './types.ts';

const NONE = new Uint8Array(0);
const BODY = Buffer.alloc(1000, 'm');
/** 128 sealed segments, and what is active, spare, being sealed or read just now. */
const OPEN_AT_MOST = 128 + 8;

function machine(): { clock: SimulatedClock; disk: SimulatedDisk } {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({
    clock,
    random: new Random(1),
    makeError: (code, message) => new DiskError(code, message),
  });
  return { clock, disk };
}

function open({ clock, disk }: { clock: SimulatedClock; disk: Disk }, openFiles?: number): Promise<Log> {
  return openLog({
    disk,
    clock: clock.life(),
    directory: '/log',
    sync: 'always',
    segmentBytes: 4096,
    maxPayloadBytes: 1024,
    backlogBytes: 8192,
    reserveBytes: 16_384,
    ...(openFiles === undefined ? {} : { openFiles }),
  });
}

async function fill(on: ReturnType<typeof machine>, log: Log, segments: number): Promise<void> {
  const stream = log.streams.get('work') ?? log.createStream('work');
  while (log.stats.segments < segments) {
    stream.append(NONE, BODY, 0, BODY.length);
    await on.clock.run(log.sync());
  }
}

async function readAll(stream: Stream): Promise<number> {
  let got = 0;
  for (let after = 0; ; ) {
    const entries = await stream.read(after, { maxEntries: 100, maxBytes: 100_000 });
    if (entries.length === 0) return got;
    got += entries.length;
    after = entries.at(-1)!.sequence;
  }
}

test('a log of many segments keeps the files of some open, also while it is opened', async () => {
  const on = machine();
  const log = await on.clock.run(open(on));
  await fill(on, log, 200);
  await on.clock.advance(1000);
  expect(on.disk.openFiles).toBeLessThan(OPEN_AT_MOST);
  await on.clock.run(log.close());
  expect(on.disk.openFiles).toBe(0);

  let most = 0;
  let opened = false;
  const opening = open(on).finally(() => {
    opened = true;
  });
  await on.clock.runUntil(() => {
    most = Math.max(most, on.disk.openFiles);
    return opened;
  }, 'the log to open');
  expect(most).toBeLessThan(OPEN_AT_MOST);
  const again = await opening;
  const stream = again.streams.get('work')!;
  expect(await on.clock.run(readAll(stream))).toBe(stream.liveCount);
  expect(on.disk.openFiles).toBeLessThan(OPEN_AT_MOST);
  await on.clock.run(again.close());
  expect(on.disk.openFiles).toBe(0);
});

test('a read that is under way at the close leaves no file open', async () => {
  const on = machine();
  const log = await on.clock.run(open(on));
  await fill(on, log, 40);
  await on.clock.advance(1000);
  const reading = log.streams.get('work')!.read(0, { maxEntries: 10_000, maxBytes: 10_000_000 });
  const closing = log.close();
  await Promise.all([on.clock.run(reading.catch(() => undefined)), on.clock.run(closing)]);
  await on.clock.advance(1000);
  expect(on.disk.openFiles).toBe(0);
});

test.each(['read', 'size', 'list', 'open', 'syncDirectory', 'write', 'sync'] as const)(
  'an opening that fails by a %s leaves no file open and can be tried again',
  async (operation) => {
    const on = machine();
    const log = await on.clock.run(open(on));
    await fill(on, log, 10);
    await on.clock.run(log.close());
    for (let after = 0; after < 12; after++) {
      const end = on.disk.inject({ operation, after });
      const outcome = await on.clock.run(open(on).catch((error: Error) => error));
      end();
      if (!(outcome instanceof Error)) await on.clock.run(outcome.close());
      expect(on.disk.openFiles).toBe(0);
    }
    const again = await on.clock.run(open(on));
    expect(again.streams.get('work')!.liveCount).toBeGreaterThan(0);
    await on.clock.run(again.close());
  },
);

test.each(['index', 'records'])(
  'a read whose segment goes away while it is opened for its %s reads what is left',
  async (what) => {
    const on = machine();
    let reading = false;
    let opened: (() => void) | undefined;
    const slow: Disk = {
      makeDirectory: (path) => on.disk.makeDirectory(path),
      list: (path) => on.disk.list(path),
      rename: (from, to) => on.disk.rename(from, to),
      remove: (path) => on.disk.remove(path),
      syncDirectory: (path) => on.disk.syncDirectory(path),
      lock: (path) => on.disk.lock(path),
      open: async (path, options) => {
        // The first file that is opened for the read, the one that goes away.
        if (!options.create && reading && opened === undefined) {
          const gate = Promise.withResolvers<void>();
          opened = gate.resolve;
          await gate.promise;
        }
        return on.disk.open(path, options);
      },
    };
    const log = await on.clock.run(open({ clock: on.clock, disk: slow }, 0));
    await fill(on, log, 10);
    await on.clock.advance(5000);
    const stream = log.streams.get('work')!;
    const { liveCount, nextSequence } = stream;
    const limit = { maxEntries: 10_000, maxBytes: 10_000_000 };
    // Now the indexes are in the cache.
    if (what === 'records') await on.clock.run(readAll(stream));
    reading = true;
    const read = stream.read(0, limit);
    await on.clock.runUntil(() => opened !== undefined, 'the read to open a file');
    const { removedSegments } = log.stats;
    stream.acknowledgeThrough(nextSequence - 3);
    await on.clock.runUntil(() => log.stats.removedSegments > removedSegments, 'segments to be removed');
    await on.clock.advance(1000);
    opened!();
    const entries = await on.clock.run(read);
    expect(liveCount).toBeGreaterThan(2);
    expect(entries.map((entry) => entry.sequence)).toEqual([nextSequence - 2, nextSequence - 1]);
    await on.clock.run(log.close());
  },
);
