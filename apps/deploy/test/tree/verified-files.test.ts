import { execFileSync } from 'node:child_process';
import { lstat, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder, waitFor } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import type { Layout } from '../../src/release/layout.ts';
import type { FileEntry } from '../../src/release/manifest.ts';
import { planReuse } from '../../src/release/reuse.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { isSettled } from '../../src/tree/stamp.ts';
import { syncPath, syncTree } from '../../src/tree/sync.ts';
import { type VerifiedFiles, verifyFiles } from '../../src/tree/verified-files.ts';
import { createWholeFiles } from '../../src/tree/whole-files.ts';
import { layoutOf, packFolder, plantMany, refusal } from '../support.ts';

interface Scene extends AsyncDisposable {
  readonly layout: Layout;
  readonly files: readonly FileEntry[];
  readonly folder: string;
  /** Writes pieces from one up to, and without, another one. */
  write(from: number, to: number): Promise<void>;
  verify(options?: {
    readonly has?: (piece: number) => boolean;
    readonly sync?: (path: Buffer) => Promise<void>;
    readonly onFailure?: (error: unknown) => void;
  }): VerifiedFiles;
  count(what: 'isVerified' | 'isSynced', verified: VerifiedFiles): Promise<number>;
}

async function scene(files: number, bytes: (random: Random) => number): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const source = stack.use(await temporaryFolder());
  const target = stack.use(await temporaryFolder());
  await plantMany(source.path, { files, seed: 1, bytes });
  const layout = layoutOf(await packFolder(source.path));
  const reader = stack.use(
    createPieceReader(planReuse(layout, [{ folder: source.path, content: layout.manifest }])),
  );
  const staging = stack.use(await openStaging(target.path, layout));
  const entries = layout.manifest.entries.filter((entry) => entry.kind === 'file');
  return {
    layout,
    files: entries,
    folder: target.path,
    async write(from, to) {
      for (let piece = from; piece < to; piece++) await staging.write(piece, (await reader.read(piece))!);
    },
    verify: (options = {}) =>
      stack.use(
        verifyFiles({
          layout,
          folder: target.path,
          has: () => false,
          onFailure: () => undefined,
          ...options,
        }),
      ),
    async count(what, verified) {
      let count = 0;
      for (const file of entries) {
        const stats = await lstat(join(target.path, file.path)).catch(() => undefined);
        if (stats !== undefined && verified[what](file, stats)) count++;
      }
      return count;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** All pieces there, and every file verified and synced. */
async function allVerified(files = 20): Promise<Scene & { readonly verified: VerifiedFiles }> {
  const made = await scene(files, () => 30_000);
  await made.write(0, made.layout.pieceCount);
  const verified = made.verify({ has: () => true });
  await waitFor(async () => (await made.count('isSynced', verified)) === files, {
    what: 'all files to be verified and synced',
    withinMs: 20_000,
  });
  await verified.stop();
  return { ...made, verified };
}

const differencesOf = async ({ layout, folder, verified }: Awaited<ReturnType<typeof allVerified>>) =>
  compareTree(layout.manifest, folder, { exactModes: true, isVerified: verified.isVerified });

test('a file is whole with the last of its pieces, in whatever order they come', async () => {
  await using made = await scene(60, (random) => random.between(0, 90_000));
  const { layout, files } = made;
  const random = new Random(3);
  const before = new Set(Array.from({ length: 9 }, () => random.between(0, layout.pieceCount - 1)));
  const here = new Set(before);
  const isWhole = (file: FileEntry): boolean =>
    file.chunks.every((chunk) => {
      const { first, last } = layout.piecesOf(chunk);
      for (let piece = first; piece <= last; piece++) if (!here.has(piece)) return false;
      return true;
    });
  const whole = createWholeFiles(layout, (piece) => before.has(piece));
  const known = new Set(whole.before);
  expect(known).toEqual(new Set(files.filter(isWhole)));
  for (const piece of random.shuffle(Array.from({ length: layout.pieceCount }, (_, i) => i))) {
    here.add(piece);
    for (const file of whole.wrote(piece)) known.add(file);
    // Lost, and written again.
    expect(whole.wrote(piece)).toEqual([]);
    expect(known).toEqual(new Set(files.filter(isWhole)));
  }
  expect(known.size).toBe(files.length);
});

test('files are verified and synced while others are still missing', async () => {
  await using made = await scene(40, () => 30_000);
  const half = Math.floor(made.layout.pieceCount / 2);
  const verified = made.verify();
  await made.write(0, half);
  for (let piece = 0; piece < half; piece++) verified.wrote(piece);
  await waitFor(async () => (await made.count('isSynced', verified)) >= 15, {
    what: 'the files of the first half',
    withinMs: 20_000,
  });
  expect(await made.count('isVerified', verified)).toBeLessThan(25);
  await verified.stop();
});

describe('a file that was verified and then', () => {
  test('stays as it is counts as right, and is not synced again', async () => {
    await using made = await allVerified();
    expect(await differencesOf(made)).toEqual([]);
    const stats = await lstat(join(made.folder, made.files[0]!.path));
    expect(made.verified.isSynced(made.files[0]!, stats)).toBe(true);
    await syncTree(made.folder, made.layout, made.verified.isSynced);
  });

  test('has a byte changed is found, though its length and its time are as before', async () => {
    await using made = await allVerified();
    const path = join(made.folder, made.files[3]!.path);
    const before = await lstat(path, { bigint: true });
    await using elsewhere = await temporaryFolder();
    const dated = join(elsewhere.path, 'dated');
    // To the nanosecond, which Node's numbers can't say.
    execFileSync('touch', ['--reference', path, dated]);
    const bytes = await readFile(path);
    bytes[9]! ^= 1;
    await writeFile(path, bytes);
    execFileSync('touch', ['--reference', dated, path]);
    const after = await lstat(path, { bigint: true });
    expect([after.size, after.mtimeNs]).toEqual([before.size, before.mtimeNs]);
    expect(after.ctimeNs).toBeGreaterThan(before.ctimeNs);
    expect(await differencesOf(made)).toMatchObject([{ kind: 'changed', path: made.files[3]!.path }]);
    expect(await made.count('isSynced', made.verified)).toBe(made.files.length - 1);
  });

  test('has another put in its place is found', async () => {
    await using made = await allVerified();
    const path = join(made.folder, made.files[4]!.path);
    await writeFile(`${path}.other`, new Random(9).bytes(30_000), { mode: 0o644 });
    await rename(`${path}.other`, path);
    expect(await differencesOf(made)).toMatchObject([{ kind: 'changed', path: made.files[4]!.path }]);
  });
});

test('a file with a wrong byte is never taken for a right one', async () => {
  await using made = await scene(10, () => 30_000);
  await made.write(0, made.layout.pieceCount);
  const path = join(made.folder, made.files[2]!.path);
  await writeFile(path, new Random(7).bytes(30_000));
  const verified = made.verify({ has: () => true });
  await waitFor(async () => (await made.count('isVerified', verified)) >= 9, {
    what: 'the nine others',
    withinMs: 20_000,
  });
  await verified.stop();
  expect(verified.isVerified(made.files[2]!, await lstat(path))).toBe(false);
});

test('what has changed just now, or may be dated in whole seconds, is left to the end', () => {
  const now = 1_790_000_000_500;
  const changed = (ctimeMs: number) => ({ dev: 1, ino: 1, size: 1, mtimeMs: 1, ctimeMs });
  expect(isSettled(changed(now - 200.25), now)).toBe(true);
  expect(isSettled(changed(now - 5.25), now)).toBe(false);
  expect(isSettled(changed(now + 3_600_000.25), now)).toBe(false);
  expect(isSettled(changed(now - 10_500), now)).toBe(false);
});

test('no more than two files are synced at one time, and stopping waits for these alone', async () => {
  await using made = await scene(30, () => 30_000);
  await made.write(0, made.layout.pieceCount);
  let under = 0;
  let most = 0;
  let begun = 0;
  const waiting: (() => void)[] = [];
  const verified = made.verify({
    has: () => true,
    async sync() {
      begun++;
      most = Math.max(most, ++under);
      await new Promise<void>((resolve) => waiting.push(resolve));
      under--;
    },
  });
  await waitFor(async () => (await made.count('isVerified', verified)) === 30 && waiting.length === 2, {
    what: 'all to be verified while two are being synced',
    withinMs: 20_000,
  });
  for (let turn = 0; turn < 8; turn++) {
    const before = begun;
    waiting.shift()!();
    await waitFor(() => begun > before, { what: 'the next one' });
  }
  const stopped = verified.stop();
  for (const go of waiting) go();
  await stopped;
  expect({ most, under, begun }).toEqual({ most: 2, under: 0, begun: 10 });
  expect(await made.count('isSynced', verified)).toBe(10);
});

test('a file that can not be synced is told at once, and when all is stopped', async () => {
  await using made = await scene(30, () => 30_000);
  await made.write(0, made.layout.pieceCount);
  const failures: unknown[] = [];
  const verified = made.verify({
    has: () => true,
    async sync(path) {
      if (path.toString().endsWith('module-7.js')) throw new Error('EIO: i/o error, fsync');
      await syncPath(path);
    },
    onFailure: (error) => failures.push(error),
  });
  await waitFor(() => failures.length > 0, { what: 'the failure', withinMs: 20_000 });
  expect(await refusal(verified.stop())).toMatch(/^write-failed: .*EIO: i\/o error, fsync/);
  expect(failures).toHaveLength(1);
});
