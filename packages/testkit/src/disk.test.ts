import { beforeEach, expect, test } from 'vitest';
import { SimulatedClock } from './clock.ts';
import { SimulatedDisk } from './disk.ts';
import type { SimulatedFile } from './disk-file.ts';
import { Random } from './random.ts';

let clock: SimulatedClock;
let disk: SimulatedDisk;

function boot(seed = 1, options: { shortWriteChance?: number; capacityBytes?: number } = {}): void {
  clock = new SimulatedClock();
  disk = new SimulatedDisk({
    clock,
    random: new Random(seed),
    shortWriteChance: 0,
    writeBackChance: 0,
    ...options,
  });
}

async function create(path: string): Promise<SimulatedFile> {
  await clock.run(disk.makeDirectory('/data'));
  return clock.run(disk.open(path, { create: true }));
}

function fill(file: SimulatedFile, byte: number, length: number, position: number): number {
  return file.write(Buffer.alloc(length, byte), 0, length, position);
}

beforeEach(() => boot());

test('what is written is read back, across pages, and holes are zeros', async () => {
  const file = await create('/data/a');
  const bytes = new Random(2).bytes(50_000);
  file.write(bytes, 0, bytes.length, 30_000);
  const back = Buffer.alloc(60_000);
  expect(await clock.run(file.read(back, 25_000))).toBe(55_000);
  expect(back.subarray(5_000, 55_000).equals(bytes)).toBe(true);
  expect(back.subarray(0, 5_000).equals(Buffer.alloc(5_000))).toBe(true);
  expect(disk.usedBytes).toBe(80_000);
});

test('a power loss keeps what was synced, and any subset of the rest in pieces of 512 bytes', async () => {
  const lengths = new Set<number>();
  const kept = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    boot(seed);
    const file = await create('/data/a');
    fill(file, 1, 1_000, 0);
    await clock.run(file.sync());
    await clock.run(disk.syncDirectory('/data'));
    fill(file, 2, 3_000, 1_000);
    disk.crash();
    const left = disk.contentOf('/data/a');
    expect(left.length).toBeGreaterThanOrEqual(1_000);
    expect(left.length).toBeLessThanOrEqual(4_000);
    expect(left.subarray(0, 1_000).every((byte) => byte === 1)).toBe(true);
    for (let at = 1_024; at < left.length; at += 512) {
      const piece = left.subarray(at, Math.min(at + 512, left.length));
      expect(piece.every((byte) => byte === piece[0])).toBe(true);
      kept.add(`${at}:${piece[0]}`);
    }
    lengths.add(left.length);
  }
  expect(lengths.size).toBeGreaterThan(20);
  // Each whole piece was lost in one run and kept in another.
  for (const at of [1_024, 1_536, 2_048, 2_560, 3_072]) {
    expect(kept.has(`${at}:0`) && kept.has(`${at}:2`), `piece at ${at}`).toBe(true);
  }
});

test('overwritten pieces come back older after a power loss', async () => {
  const seen = new Set<number>();
  for (let seed = 1; seed <= 50; seed++) {
    boot(seed);
    const file = await create('/data/a');
    fill(file, 1, 512, 0);
    await clock.run(file.sync());
    await clock.run(disk.syncDirectory('/data'));
    fill(file, 2, 512, 0);
    disk.crash();
    seen.add(disk.contentOf('/data/a')[0]!);
  }
  expect([...seen].sort()).toEqual([1, 2]);
});

test('a kill keeps all that was written', async () => {
  const file = await create('/data/a');
  fill(file, 1, 5_000, 0);
  disk.kill();
  disk.restart();
  expect(disk.contentOf('/data/a').equals(Buffer.alloc(5_000, 1))).toBe(true);
  expect(disk.durableContentOf('/data/a')).toHaveLength(0);
});

test('names come and go as their folder was synced', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    boot(seed);
    await create('/data/old');
    await clock.run(disk.syncDirectory('/data'));
    await clock.run(disk.rename('/data/old', '/data/new'));
    await create('/data/other');
    disk.crash();
    outcomes.add(
      disk
        .files()
        .map((file) => file.path.slice(6))
        .join(' '),
    );
  }
  expect([...outcomes].sort()).toEqual(['new', 'new other', 'old', 'old other'].sort());
});

test('a synced folder is certain, and a removed file with it', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    boot(seed);
    await create('/data/a');
    const file = await create('/data/b');
    await clock.run(disk.remove('/data/a'));
    await clock.run(disk.syncDirectory('/data'));
    fill(file, 1, 10, 0);
    await clock.run(file.sync());
    disk.crash();
    expect(disk.files()).toEqual([{ path: '/data/b', bytes: 10 }]);
  }
});

test('after a crash old handles are dead and old calls never answer', async () => {
  const file = await create('/data/a');
  await clock.run(disk.syncDirectory('/data'));
  let answered = false;
  void file.sync().then(() => {
    answered = true;
  });
  disk.crash();
  expect(() => fill(file, 1, 1, 0)).toThrow('machine is down');
  disk.restart();
  expect(() => fill(file, 1, 1, 0)).toThrow('machine is down');
  void file.size().then(() => {
    answered = true;
  });
  await clock.advance(1_000);
  expect(answered).toBe(false);
  await clock.run(disk.open('/data/a', { create: false }));
});

test('a full disk takes what fits, then says ENOSPC, and has room again when there is', async () => {
  boot(1, { capacityBytes: 100 });
  const file = await create('/data/a');
  expect(fill(file, 1, 80, 0)).toBe(80);
  expect(fill(file, 1, 80, 80)).toBe(20);
  expect(() => fill(file, 1, 1, 100)).toThrow('ENOSPC');
  expect(fill(file, 2, 50, 0)).toBe(50);
  disk.capacityBytes = 150;
  expect(fill(file, 1, 80, 100)).toBe(50);
  await clock.run(disk.remove('/data/a'));
  expect(disk.usedBytes).toBe(150);
  await clock.run(file.close());
  expect(disk.usedBytes).toBe(0);
});

test('writes can be short', async () => {
  boot(1, { shortWriteChance: 1 });
  const file = await create('/data/a');
  const counts = new Set(Array.from({ length: 50 }, () => fill(file, 1, 100, 0)));
  expect(counts.size).toBeGreaterThan(10);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
});

test('injected faults: each on its operation, after so many, so often', async () => {
  const file = await create('/data/a');
  disk.inject({ operation: 'write', after: 1, times: 2 });
  fill(file, 1, 10, 0);
  expect(() => fill(file, 1, 10, 0)).toThrow('EIO');
  expect(() => fill(file, 1, 10, 0)).toThrow('EIO');
  fill(file, 1, 10, 0);
  const remove = disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY });
  await expect(clock.run(file.read(Buffer.alloc(1), 0))).rejects.toMatchObject({ code: 'EIO' });
  remove();
  expect(await clock.run(file.read(Buffer.alloc(1), 0))).toBe(1);
  disk.inject({ operation: 'open', code: 'EACCES', path: (path) => path.endsWith('/b') });
  await expect(clock.run(disk.open('/data/b', { create: true }))).rejects.toMatchObject({ code: 'EACCES' });
});

test('a failed sync drops the dirty pages: the next one says all is well, and a power loss shows it is not', async () => {
  const lost = { cached: 0, evicted: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    for (const mode of ['cached', 'evicted'] as const) {
      boot(seed);
      const file = await create('/data/a');
      await clock.run(disk.syncDirectory('/data'));
      fill(file, 7, 4_096, 0);
      disk.inject({ operation: 'sync', lost: mode });
      await expect(clock.run(file.sync())).rejects.toMatchObject({ code: 'EIO' });
      await clock.run(file.sync());
      const cached = disk.contentOf('/data/a').every((byte) => byte === 7);
      if (mode === 'cached') expect(cached).toBe(true);
      disk.crash();
      if (disk.contentOf('/data/a').some((byte) => byte !== 7)) lost[mode]++;
      else if (mode === 'evicted') expect(cached || disk.contentOf('/data/a').length < 4_096).toBe(true);
    }
  }
  expect(lost.cached).toBeGreaterThan(10);
  expect(lost.evicted).toBeGreaterThan(10);
});

test('a flipped bit is there in the cache and on the device', async () => {
  const file = await create('/data/a');
  fill(file, 1, 600, 0);
  await clock.run(file.sync());
  disk.flip('/data/a', 555, 0x80);
  expect(disk.contentOf('/data/a')[555]).toBe(0x81);
  expect(disk.durableContentOf('/data/a')[555]).toBe(0x81);
  expect(disk.contentOf('/data/a')[554]).toBe(1);
});

test('crashAfter stops in the middle of a write, or before or after any other operation', async () => {
  const left = new Set<number>();
  for (let seed = 1; seed <= 40; seed++) {
    boot(seed);
    const file = await create('/data/a');
    disk.crashAfter(1, 'kill');
    expect(() => fill(file, 1, 100, 0)).toThrow('machine is down');
    expect(disk.down).toBe(true);
    left.add(disk.contentOf('/data/a').length);
  }
  expect(left.size).toBeGreaterThan(10);
});

test('one lock at a time, which dies with its process', async () => {
  await clock.run(disk.makeDirectory('/data'));
  const lock = await clock.run(disk.lock('/data/lock'));
  await expect(clock.run(disk.lock('/data/lock'))).rejects.toMatchObject({ code: 'ELOCKED' });
  await clock.run(lock.release());
  await clock.run(disk.lock('/data/lock'));
  disk.kill();
  disk.restart();
  await clock.run(disk.lock('/data/lock'));
});

test('truncation: what is cut off reads as zeros when the file grows again', async () => {
  const file = await create('/data/a');
  fill(file, 1, 1_000, 0);
  await clock.run(file.truncate(100));
  expect(await clock.run(file.size())).toBe(100);
  fill(file, 2, 1, 999);
  expect(disk.contentOf('/data/a').subarray(100, 999).equals(Buffer.alloc(899))).toBe(true);
  expect(disk.usedBytes).toBe(1_000);
});

test('closing a file that is in use is noted', async () => {
  const file = await create('/data/a');
  const reading = file.read(Buffer.alloc(1), 0);
  const closing = file.close();
  await clock.run(Promise.all([reading, closing]));
  expect(disk.misuses).toHaveLength(1);
  expect(() => fill(file, 1, 1, 0)).toThrow('EBADF');
});

test('the same seed gives the same disk', async () => {
  const left: Buffer[] = [];
  for (let run = 0; run < 2; run++) {
    boot(77);
    const file = await create('/data/a');
    await clock.run(disk.syncDirectory('/data'));
    for (let i = 0; i < 30; i++) fill(file, i, 700, i * 700);
    disk.crash();
    left.push(disk.contentOf('/data/a'));
  }
  expect(left[0]!.equals(left[1]!)).toBe(true);
});
