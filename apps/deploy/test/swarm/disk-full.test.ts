import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  eventOf,
  expectWhole,
  type PackedFiles,
  packTree,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';

// File systems that are really full: a tmpfs of 12 MiB and 300 files, for a tree of 6 MB.

const BYTES = 6_000_000;

let work: TemporaryFolder;
let small: string;
let packed: PackedFiles;
let whyNot: string | undefined;

beforeAll(async () => {
  work = await temporaryFolder();
  small = join(work.path, 'small');
  await mkdir(small);
  try {
    const options = ['-t', 'tmpfs', '-o', 'size=12m,nr_inodes=300', 'tmpfs', small];
    execFileSync('mount', options, { stdio: 'pipe' });
  } catch (error) {
    whyNot = `no small file system can be mounted here: ${(error as Error).message.split('\n').at(-1)}`;
  }
  packed = await packTree(work.path, { bytes: BYTES });
});

beforeEach(async (context) => {
  if (whyNot !== undefined) context.skip(whyNot);
  for (const name of await readdir(small)) await rm(join(small, name), { recursive: true });
});

afterAll(async () => {
  if (whyNot === undefined) execFileSync('umount', ['--lazy', small]);
  await work.remove();
});

/** Another program takes all that is left, up to so much. */
function fill(path: string, bytes = Number.POSITIVE_INFINITY): void {
  const file = openSync(path, 'w');
  let left = bytes;
  try {
    for (let size = 256 * 1024; size >= 4096; size /= 2) {
      try {
        for (; left >= size; left -= size) writeSync(file, Buffer.alloc(size));
      } catch {
        // It no longer fits; a smaller piece may.
      }
    }
  } finally {
    closeSync(file);
  }
}

describe('a disk that is full', { timeout: 120_000 }, () => {
  test('is told before anything is made, with the bytes that are needed and free', async () => {
    const filler = join(small, 'filler');
    fill(filler, 8 * 2 ** 20);
    await using refused = await startFetch(packed, join(small, 'tree'), 'http://127.0.0.1:9/announce');
    expect(await refused.waitForExit(60_000)).toMatchObject({ code: 1 });
    const { code, message } = lastEvent(refused.stdout);
    const needed = 20 * Math.ceil(BYTES / 20 / 4096) * 4096;
    expect(code).toBe('disk-full');
    expect(message).toMatch(
      new RegExp(`^${small}: the tree needs ${needed} more bytes, and \\d+ are free; make room`),
    );
    expect(refused.stderr).toBe(`rookery-deploy: ${message}\n`);
    expect(await readdir(small)).toEqual(['filler']);
    rmSync(filler);
  });

  test('of files is told too', async () => {
    await using folder = await temporaryFolder();
    const many = await packTree(folder.path, { bytes: 40_000, files: 400 });
    await using refused = await startFetch(many, join(small, 'tree'), 'http://127.0.0.1:9/announce');
    await refused.waitForExit(60_000);
    expect(lastEvent(refused.stdout)).toMatchObject({
      code: 'disk-full',
      message: expect.stringMatching(/the tree needs 400 more files, and it has room for \d+;/),
    });
    expect(await readdir(small)).toEqual([]);
  });

  test('and fills up while a tree is fetched ends the fetch, and with room it goes on', async () => {
    const tracker = await startTracker();
    await using _tracker = tracker.process;
    const to = join(small, 'tree');
    const filler = join(small, 'filler');
    // It has found room and waits for an origin; then somebody else leaves it half of what it needs.
    await using first = await startFetch(packed, to, tracker.url);
    await eventOf(first, 'progress');
    fill(filler, 9 * 2 ** 20);
    await using _origin = await startOrigin(packed, tracker.url);
    expect(await first.waitForExit(60_000)).toMatchObject({ code: 1 });
    expect(lastEvent(first.stdout)).toMatchObject({
      event: 'failed',
      code: 'disk-full',
      message: expect.stringMatching(/: ENOSPC; make room and try again$/),
    });
    expect((await readdir(small)).sort()).toEqual([
      expect.stringMatching(/^\.tree\..*\.fetching$/),
      'filler',
    ]);

    rmSync(filler);
    await using second = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
    const done = await eventOf(second, 'done');
    expect(Number(done.reused_bytes)).toBeGreaterThan(0.2 * packed.payloadBytes);
    expect(Number(done.reused_bytes) + Number(done.fetched_bytes)).toBe(packed.payloadBytes);
    await expectWhole(packed, to);
  });
});

function lastEvent(stdout: string): Readonly<Record<string, unknown>> {
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
}
