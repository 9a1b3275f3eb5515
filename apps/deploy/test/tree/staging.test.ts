import { mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import type { Layout } from '../../src/release/layout.ts';
import { planReuse } from '../../src/release/reuse.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader, type PieceReader } from '../../src/tree/piece-reader.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { layoutOf, packFolder, plant, plantMany, refusal } from '../support.ts';

function readerOf(folder: string, layout: Layout): PieceReader {
  return createPieceReader(planReuse(layout, [{ folder, content: layout.manifest }]));
}

test('pieces come in any order, many at once, with far more files than may be open', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plantMany(source.path, { files: 700, seed: 1, bytes: (random) => random.between(0, 9_000) });
  await plant(source.path, { run: { executable: 'x' }, again: { link: 'run' } });
  const layout = layoutOf(await packFolder(source.path));
  await using reader = readerOf(source.path, layout);
  const order = new Random(2).shuffle(Array.from({ length: layout.pieceCount }, (_, i) => i));
  {
    await using staging = await openStaging(target.path, layout);
    let open = 0;
    await Promise.all(
      order.map(async (piece) => {
        await staging.write(piece, (await reader.read(piece))!);
        const names = await readdir('/proc/self/fd').catch(() => []);
        open = Math.max(open, names.length);
      }),
    );
    await staging.finish();
    expect(open).toBeLessThan(64 + 64 + 60);
  }
  expect(await compareTree(layout.manifest, target.path, { exactModes: true })).toEqual([]);
});

test('a piece with a wrong byte, or of a wrong length, is refused and not written', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plant(source.path, { a: new Random(3).bytes(50_000) });
  const layout = layoutOf(await packFolder(source.path));
  await using reader = readerOf(source.path, layout);
  await using staging = await openStaging(target.path, layout);
  const bytes = (await reader.read(1))!;
  const wrong = Buffer.from(bytes);
  wrong[7]! ^= 1;
  expect(await refusal(staging.write(1, wrong))).toMatch(/^piece-wrong/);
  expect(await refusal(staging.write(1, bytes.subarray(1)))).toMatch(/^piece-wrong/);
  expect(await refusal(staging.write(layout.pieceCount, bytes))).toMatch(/^piece-wrong/);
  expect(await readdir(target.path)).toEqual([]);
});

test('what an interrupted transfer had written counts when it goes on', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plantMany(source.path, { files: 40, seed: 4, bytes: () => 20_000 });
  await plant(source.path, { 'empty/folder': 'folder!', none: '', link: { link: 'none' } });
  const layout = layoutOf(await packFolder(source.path));
  await using reader = readerOf(source.path, layout);
  const half = Math.floor(layout.pieceCount / 2);
  {
    await using staging = await openStaging(target.path, layout);
    for (let piece = 0; piece < half; piece++) await staging.write(piece, (await reader.read(piece))!);
  }
  expect(await refusal(openStaging(target.path, layout))).toMatch(/^staging-exists/);
  {
    await using written = readerOf(target.path, layout);
    await using staging = await openStaging(target.path, layout, { resume: true });
    for (let piece = 0; piece < layout.pieceCount; piece++) {
      expect((await written.read(piece)) !== undefined).toBe(piece < half);
      if (piece >= half) await staging.write(piece, (await reader.read(piece))!);
    }
    await staging.finish();
  }
  expect(await compareTree(layout.manifest, target.path, { exactModes: true })).toEqual([]);
});

test('a link that somebody puts into the staging folder is not written through', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plant(source.path, { victim: 'new content' });
  const layout = layoutOf(await packFolder(source.path));
  await using reader = readerOf(source.path, layout);
  const outside = join(target.path, 'outside');
  await writeFile(outside, 'precious');
  const staged = join(target.path, 'staging');
  await mkdir(staged);
  await using staging = await openStaging(staged, layout);
  await symlink(outside, join(staged, 'victim'));
  expect(await refusal(staging.write(0, (await reader.read(0))!))).toMatch(/^write-failed: victim: ELOOP/);
  expect(await readlink(join(staged, 'victim'))).toBe(outside);
});
