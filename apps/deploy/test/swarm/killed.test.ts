import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type RunningProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plant, plantMany } from '../support.ts';
import {
  eventOf,
  expectWhole,
  type PackedFiles,
  packExisting,
  stagingIn,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';
import { killedAt, ONE_FILE_THREAD, straceAvailable } from './strace.ts';

// A fetch is killed at each step, by the system call that it was about to make, and started again.

const FILES = 40;
const FILE_BYTES = 100_000;

let work: TemporaryFolder;
let packed: PackedFiles;
let tracker: { readonly process: RunningProcess; readonly url: string };
let origin: RunningProcess;

beforeAll(async () => {
  work = await temporaryFolder();
  const tree = join(work.path, 'tree');
  await plantMany(tree, { files: FILES, seed: 1, bytes: () => FILE_BYTES });
  await plant(tree, { current: { link: 'part-1' }, 'again/link': { link: '../part-2' }, none: '' });
  packed = await packExisting(work.path, tree, 'shop');
  tracker = await startTracker();
  origin = await startOrigin(packed, tracker.url);
});

afterAll(async () => {
  await origin[Symbol.asyncDispose]();
  await tracker.process[Symbol.asyncDispose]();
  await work.remove();
});

interface Step {
  readonly step: string;
  readonly call: string;
  readonly when?: number;
  readonly above?: boolean;
  /** Of the payload, at least and at most, that the second try must fetch. */
  readonly fetched: readonly [number, number];
  readonly there?: boolean;
}

const STEPS: readonly Step[] = [
  { step: 'before the first piece is written', call: 'pwrite64', fetched: [1, 1] },
  { step: 'after the first pieces', call: 'pwrite64', when: 20, fetched: [0.9, 0.99] },
  {
    step: 'at half',
    call: 'pwrite64',
    when: Math.floor((FILES * FILE_BYTES) / 4096 / 2),
    fetched: [0.3, 0.7],
  },
  { step: 'when all pieces are there', call: '/^symlink', fetched: [0, 0] },
  { step: 'between two links', call: '/^symlink', when: 2, fetched: [0, 0] },
  // Its folders are listed then. Of the thread that does that only two lists came before, and Node makes fewer itself.
  { step: 'while the tree is verified', call: 'getdents64', when: 13, fetched: [0, 0] },
  // Files are synced while others are still fetched, each once; the empty one is one more.
  { step: 'before the first file is synced', call: 'fsync', fetched: [0, 1] },
  { step: 'when its files are synced', call: 'fsync', when: FILES + 2, fetched: [0, 0] },
  { step: 'while its folders are synced', call: 'fsync', when: FILES + 10, fetched: [0, 0] },
  { step: 'before the rename', call: '/^rename', fetched: [0, 0] },
  { step: 'after the rename', call: 'fsync', above: true, fetched: [0, 0], there: true },
];

// All in CI, or by wish; otherwise every third, which leaves 10 s of 25.
const { CI, ROOKERY_TEST_LARGE, ROOKERY_TEST_REQUIRE_CLIENTS } = process.env;
const all = (CI ?? ROOKERY_TEST_LARGE ?? ROOKERY_TEST_REQUIRE_CLIENTS) !== undefined;
const steps = STEPS.filter((_, number) => all || number % 3 === 2 || number === STEPS.length - 1);

describe.skipIf(!straceAvailable())('a fetch that is killed', { timeout: 120_000 }, () => {
  test.each(steps)(
    '$step leaves nothing half made and goes on',
    async ({ call, when, above, fetched, there }) => {
      await using folder = await temporaryFolder();
      const to = join(folder.path, 'tree');
      const path = above === true ? dirname(to) : undefined;
      await using first = await startFetch(packed, to, tracker.url, {
        more: ['--seed-for', '0'],
        under: killedAt(call, {
          ...(when === undefined ? {} : { when }),
          ...(path === undefined ? {} : { path }),
        }),
        env: ONE_FILE_THREAD,
      });
      expect(await first.waitForExit(60_000)).toEqual({ code: null, signal: 'SIGKILL' });
      expect(first.stdout).not.toContain('"done"');
      // Whole or not at all.
      if (there === true) await expectWhole(packed, to);
      else await stagingIn(folder.path);

      await using second = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
      const done = await eventOf(second, 'done');
      expect(await second.waitForExit(60_000)).toMatchObject({ code: 0 });
      await expectWhole(packed, to);
      expect(await readdir(folder.path)).toEqual(['tree']);
      const part = Number(done.fetched_bytes) / packed.payloadBytes;
      expect(part).toBeGreaterThanOrEqual(fetched[0]);
      expect(part).toBeLessThanOrEqual(fetched[1]);
      expect(Number(done.fetched_bytes) + Number(done.reused_bytes)).toBe(packed.payloadBytes);
    },
  );
});

test('a fetch that is killed while it waits for an origin begins anew', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder();
  const lonely = await startTracker();
  await using _lonely = lonely.process;
  const to = join(folder.path, 'tree');
  await using first = await startFetch(packed, to, lonely.url);
  await eventOf(first, 'progress');
  first.kill('SIGKILL');
  await first.waitForExit(60_000);
  await stagingIn(folder.path);
  await using second = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
  expect(await eventOf(second, 'done')).toMatchObject({ fetched_bytes: packed.payloadBytes });
  await expectWhole(packed, to);
});
