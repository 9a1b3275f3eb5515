import { Random, SimulatedClock, SimulatedDisk } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { DiskError } from '../disk/disk.ts';
import { openLog } from './open.ts';
import type { Log, LogEvent, LogOptions, SyncMode } from './types.ts';

const NONE = new Uint8Array(0);
const BODY = Buffer.alloc(100, 'm');

function machine(): { clock: SimulatedClock; disk: SimulatedDisk; events: LogEvent[]; commits: number[] } {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({
    clock,
    random: new Random(1),
    makeError: (code, message) => new DiskError(code, message),
  });
  return { clock, disk, events: [], commits: [] };
}

async function open(
  on: ReturnType<typeof machine>,
  sync: SyncMode,
  more: Partial<LogOptions> = {},
): Promise<Log> {
  return done(
    on.clock,
    openLog({
      disk: on.disk,
      clock: on.clock.life(),
      directory: '/log',
      sync,
      segmentBytes: 16_384,
      maxPayloadBytes: 1024,
      backlogBytes: 8192,
      reserveBytes: 16_384,
      onEvent: (event) => on.events.push(event),
      onCommit: (position) => on.commits.push(position),
      ...more,
    }),
  );
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

describe('a failed sync', () => {
  test('is fatal: nothing is committed after it, all is refused, the close lets go of the lock', async () => {
    const on = machine();
    const log = await open(on, 'always');
    const stream = log.createStream('work');
    const entry = stream.append(NONE, BODY, 0, BODY.length);
    await done(on.clock, log.sync());
    const committed = log.committedPosition;
    on.disk.inject({ operation: 'sync' });
    stream.append(NONE, BODY, 0, BODY.length);
    const waiting = log.sync();
    waiting.catch(() => undefined);
    await on.clock.advance(5000);
    const failed = expect.objectContaining({ code: 'log-failed' });
    await expect(waiting).rejects.toThrow(failed);
    expect(on.events.filter((event) => event.type === 'failed').length).toBe(1);
    expect(log.committedPosition).toBe(committed);
    expect(() => stream.append(NONE, BODY, 0, BODY.length)).toThrow(failed);
    expect(() => stream.acknowledge(entry)).toThrow(failed);
    expect(() => stream.remove()).toThrow(failed);
    expect(() => log.createStream('more')).toThrow(failed);
    await expect(stream.read(0, { maxEntries: 1, maxBytes: 1 })).rejects.toThrow(failed);
    await expect(log.sync()).rejects.toThrow(failed);
    await done(on.clock, log.close());
    expect(on.commits.every((position) => position <= committed)).toBe(true);
    const again = await open(on, 'always');
    expect(again.streams.get('work')!.liveCount).toBeGreaterThan(0);
    await done(on.clock, again.close());
  });
});

describe('a failed read', () => {
  test('fails that read only', async () => {
    const on = machine();
    const log = await open(on, 'always');
    const stream = log.createStream('work');
    stream.append(NONE, BODY, 0, BODY.length);
    await done(on.clock, log.sync());
    on.disk.inject({ operation: 'read' });
    const limit = { maxEntries: 10, maxBytes: 1000 };
    await expect(done(on.clock, stream.read(0, limit))).rejects.toMatchObject({ code: 'read-failed' });
    expect((await done(on.clock, stream.read(0, limit))).length).toBe(1);
    await done(on.clock, log.close());
  });
});

describe('a damaged record', () => {
  test('that can not be set aside fails the read only, and is set aside by a later one', async () => {
    const on = machine();
    const log = await open(on, 'always');
    const stream = log.createStream('work');
    for (let i = 0; i < 3; i++) stream.append(NONE, BODY, 0, BODY.length);
    await done(on.clock, log.sync());
    const [segment] = on.disk.files().filter((file) => file.path.includes('/segments/'));
    on.disk.flip(segment!.path, on.disk.contentOf(segment!.path).indexOf(BODY), 1);
    on.disk.inject({ operation: 'open', path: (path) => path.includes('/quarantine/'), code: 'EACCES' });
    const limit = { maxEntries: 10, maxBytes: 10_000 };
    await expect(done(on.clock, stream.read(0, limit))).rejects.toMatchObject({
      name: 'LogError',
      code: 'read-failed',
    });
    expect(stream.liveCount).toBe(3);
    expect((await done(on.clock, stream.read(0, limit))).length).toBe(2);
    expect(on.events.map((event) => event.type)).toContain('damaged');
    expect(on.events.map((event) => event.type)).not.toContain('failed');
    await done(on.clock, log.close());
  });
});

describe('sync every N ms', () => {
  test('commits at once, and syncs the last write of a burst, N ms after the first unsynced one', async () => {
    const on = machine();
    const log = await open(on, { everyMs: 50 });
    const stream = log.createStream('work');
    await done(on.clock, log.sync());
    await on.clock.advance(1000);
    const { syncs } = log.stats;
    for (let i = 0; i < 5; i++) {
      stream.append(NONE, BODY, 0, BODY.length);
      const wanted = log.position;
      await on.clock.advance(1);
      expect(log.committedPosition).toBe(wanted);
    }
    expect(log.stats.syncs).toBe(syncs);
    await on.clock.advance(60);
    expect(log.stats.syncs).toBe(syncs + 1);
    on.disk.crash();
    on.disk.restart();
    const again = await open(on, { everyMs: 50 });
    expect(again.streams.get('work')!.liveCount).toBe(5);
    await done(on.clock, again.close());
  });
});

describe('a full disk', () => {
  test('at the close keeps what was committed before, also when the last batch found no room', async () => {
    const on = machine();
    const log = await open(on, { everyMs: 50 });
    const stream = log.createStream('work');
    await done(on.clock, log.sync());
    await on.clock.advance(2000);
    const kept = Buffer.alloc(500, 'kept');
    stream.append(NONE, kept, 0, kept.length);
    await on.clock.turn();
    expect(log.committedPosition).toBe(log.position);
    on.disk.capacityBytes = on.disk.usedBytes;
    stream.append(NONE, BODY, 0, BODY.length);
    await on.clock.runUntil(() => log.full, 'the disk to be full');
    expect(log.committedPosition).toBeLessThan(log.position);
    await done(on.clock, log.close());
    const [segment] = on.disk.files().filter((file) => file.path.includes('/segments/'));
    expect(on.disk.durableContentOf(segment!.path).includes(kept)).toBe(true);
  });

  test('refuses appends, reads and acknowledges on, and takes appends again by itself', async () => {
    const on = machine();
    const log = await open(on, 'always');
    const stream = log.createStream('work');
    const entries = Array.from({ length: 60 }, () => stream.append(NONE, BODY, 0, BODY.length));
    await done(on.clock, log.sync());
    await on.clock.advance(2000);
    on.disk.capacityBytes = on.disk.usedBytes + 300;
    let refused: unknown;
    for (let i = 0; i < 200 && refused === undefined; i++) {
      try {
        entries.push(stream.append(NONE, BODY, 0, BODY.length));
        await on.clock.advance(5);
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toMatchObject({ code: 'log-full' });
    expect(log.full).toBe(true);
    // What was taken before is committed all the same: the reserve had room for it.
    await done(on.clock, log.sync());
    expect(log.committedPosition).toBe(log.position);
    const got = await done(on.clock, stream.read(0, { maxEntries: 1000, maxBytes: 100_000 }));
    expect(got.length).toBe(entries.length);
    for (const entry of got.slice(0, 50)) stream.acknowledge(entry);
    await done(on.clock, log.sync());
    expect(on.events.map((event) => event.type)).not.toContain('writable');
    on.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await on.clock.advance(3000);
    expect(on.events.map((event) => event.type)).toContain('writable');
    stream.append(NONE, BODY, 0, BODY.length);
    await done(on.clock, log.close());
    const again = await open(on, 'always');
    expect(again.streams.get('work')!.liveCount).toBe(entries.length - 50 + 1);
    await done(on.clock, again.close());
  });
});
