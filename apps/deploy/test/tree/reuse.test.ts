import { appendFile, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { planReuse, type ReusePlan } from '../../src/release/reuse.ts';
import { assemble } from '../../src/tree/assemble.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { scanFolder } from '../../src/tree/scan.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { layoutOf, packFolder, plant, plantMany, snapshot } from '../support.ts';

interface Update {
  /** What must be fetched for the new tree by a host that has the old one. */
  readonly plan: ReusePlan<string>;
  readonly share: number;
}

/** Packs `folder`, lets `change` at it, and packs it again. */
async function update(folder: string, change: () => Promise<unknown>): Promise<Update> {
  const before = await packFolder(folder);
  await change();
  const layout = layoutOf(await packFolder(folder, { version: '1.0.1' }));
  const plan = planReuse(layout, [{ folder, content: before.release.manifest }]);
  return { plan, share: plan.fetchBytes / layout.payloadBytes };
}

const sizes: Record<string, (random: Random) => number> = {
  'all of 5 KiB (2 MiB)': () => 5 * 1024,
  'all of 50 KiB (20 MiB)': () => 50 * 1024,
  'of 1 to 100 KiB': (random) => random.between(1024, 100 * 1024),
  'many small and few large': (random) => Math.floor(2 ** (9 + 9 * random.float() ** 2)),
};

test.each(Object.keys(sizes))('2 of 400 files rewritten, %s: under 3 % travels', async (name) => {
  await using folder = await temporaryFolder();
  const paths = await plantMany(folder.path, { files: 400, seed: 7, bytes: sizes[name]! });
  const random = new Random(8);
  const { share } = await update(folder.path, async () => {
    for (const path of [paths[123]!, paths[301]!]) {
      await writeFile(
        join(folder.path, path),
        random.bytes((await readFile(join(folder.path, path))).length + 10),
      );
    }
  });
  expect(share).toBeGreaterThan(0);
  expect(share).toBeLessThan(0.03);
});

test('nothing changed but the version: nothing travels', async () => {
  await using folder = await temporaryFolder();
  await plantMany(folder.path, { files: 50, seed: 1, bytes: () => 20_000 });
  const { plan } = await update(folder.path, async () => undefined);
  expect(plan.fetch).toEqual([]);
  expect(plan.missingBytes).toBe(0);
});

test('moved and renamed files: nothing travels', async () => {
  await using folder = await temporaryFolder();
  const paths = await plantMany(folder.path, {
    files: 200,
    seed: 2,
    bytes: (random) => random.between(100, 60_000),
  });
  const { plan } = await update(folder.path, async () => {
    await mkdir(join(folder.path, 'elsewhere'));
    for (const [i, path] of paths.entries()) {
      if (i % 3 === 0) await rename(join(folder.path, path), join(folder.path, `elsewhere/z${199 - i}`));
    }
    await rename(join(folder.path, 'part-3'), join(folder.path, '0-part'));
  });
  expect(plan.fetch).toEqual([]);
});

test('removed files: nothing travels', async () => {
  await using folder = await temporaryFolder();
  const paths = await plantMany(folder.path, { files: 100, seed: 3, bytes: () => 30_000 });
  const { plan } = await update(folder.path, async () => {
    for (const path of paths.slice(20, 60)) await rm(join(folder.path, path));
  });
  expect(plan.fetch).toEqual([]);
});

test('a large file grown in the middle, at its beginning and at its end: only what is new travels', async () => {
  await using folder = await temporaryFolder();
  const random = new Random(4);
  const content = random.bytes(12 * 1024 * 1024);
  await writeFile(join(folder.path, 'large'), content);
  const middle = 5_000_001;
  const { plan, share } = await update(folder.path, () =>
    writeFile(
      join(folder.path, 'large'),
      Buffer.concat([
        random.bytes(7),
        content.subarray(0, middle),
        random.bytes(100),
        content.subarray(middle),
        random.bytes(9),
      ]),
    ),
  );
  expect(plan.fetch.length).toBeGreaterThanOrEqual(3);
  expect(share).toBeLessThan(0.04);
  expect(plan.missingBytes).toBeLessThan(plan.fetchBytes);
});

test('a plan says which bytes within a piece are new', async () => {
  await using folder = await temporaryFolder();
  await plantMany(folder.path, { files: 30, seed: 5, bytes: () => 3_000 });
  await plant(folder.path, { 'part-5/module-5.js': 'new' });
  const old = await packFolder(folder.path);
  await plant(folder.path, { 'part-5/module-5.js': 'newer still' });
  const layout = layoutOf(await packFolder(folder.path));
  const plan = planReuse(layout, [{ folder: folder.path, content: old.release.manifest }]);
  expect(plan.fetch).toHaveLength(1);
  expect(plan.missing(plan.fetch[0]!).map(({ length }) => length)).toEqual(['newer still'.length]);
});

test.each([
  ['by its manifest', true],
  ['by scanning it', false],
])(
  'a new release is built from the old one, %s, and pieces from elsewhere; the old one stays untouched',
  async (_, known) => {
    await using old = await temporaryFolder();
    await using next = await temporaryFolder();
    await using target = await temporaryFolder();
    const same = (root: string): Promise<unknown> =>
      plantMany(root, { files: 120, seed: 6, bytes: (random) => random.between(0, 90_000) });
    await same(old.path);
    await same(next.path);
    await plant(old.path, { gone: 'gone' });
    await plant(next.path, {
      'bin/run': { executable: '#!/bin/sh\n' },
      'bin/latest': { link: 'run' },
      'copy/of/module': await readFile(join(next.path, 'part-1/module-1.js')),
      'new.js': new Random(9).bytes(200_000),
      'empty/folder': 'folder!',
      'empty/file': '',
    });
    await appendFile(join(next.path, 'part-2/module-2.js'), 'more');
    const before = await snapshot(old.path);
    const oldRelease = await packFolder(old.path);
    const packed = await packFolder(next.path);
    const layout = layoutOf(packed);

    const holding = known
      ? { folder: old.path, content: oldRelease.release.manifest }
      : await scanFolder(old.path);
    const plan = planReuse(layout, [holding]);
    expect(plan.fetchBytes).toBeLessThan(layout.payloadBytes / 8);
    {
      await using seeder = createPieceReader(
        planReuse(layout, [{ folder: next.path, content: packed.release.manifest }]),
      );
      await using staging = await openStaging(join(target.path, 'tree'), layout);
      const left = await assemble(plan, staging);
      expect(left).toEqual(plan.fetch);
      for (const piece of left) await staging.write(piece, (await seeder.read(piece))!);
      await staging.finish();
    }
    expect(
      await compareTree(packed.release.manifest, join(target.path, 'tree'), { exactModes: true }),
    ).toEqual([]);
    expect(await snapshot(old.path)).toEqual(before);
  },
);

test('old files that were changed, cut or removed since give no wrong byte: their pieces are fetched', async () => {
  await using folder = await temporaryFolder();
  const paths = await plantMany(folder.path, { files: 60, seed: 10, bytes: () => 40_000 });
  const packed = await packFolder(folder.path);
  const layout = layoutOf(packed);
  const place = (i: number): string => join(folder.path, paths[i]!);
  const content = await readFile(place(10));
  content[20_000]! ^= 1;
  await writeFile(place(10), content);
  await writeFile(place(20), 'cut');
  await rm(place(30));
  await chmod(place(40), 0o000);

  const plan = planReuse(layout, [{ folder: folder.path, content: packed.release.manifest }]);
  expect(plan.fetch).toEqual([]);
  await using target = await temporaryFolder();
  await using staging = await openStaging(target.path, layout);
  const left = await assemble(plan, staging);
  expect(left.length).toBeGreaterThanOrEqual(3);
  expect(left.length).toBeLessThan(40);
});
