import { hash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { encodeRelease } from '../../src/release/container.ts';
import { createLayout } from '../../src/release/layout.ts';
import { pathFromText } from '../../src/release/path.ts';
import { planReuse } from '../../src/release/reuse.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { createPieceReader } from '../../src/tree/piece-reader.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { packFolder } from '../support.ts';

// 100,000 take 17 s on a quiet machine and a minute on a busy one: in CI, or by wish. Otherwise a tenth.
const { CI, ROOKERY_TEST_LARGE, ROOKERY_TEST_REQUIRE_CLIENTS } = process.env;
const FILES = (CI ?? ROOKERY_TEST_LARGE ?? ROOKERY_TEST_REQUIRE_CLIENTS) === undefined ? 10_000 : 100_000;

test(`${FILES} small files`, { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  for (let i = 0; i < FILES / 100; i++) {
    const inside = join(folder.path, `folder-${i}`);
    await mkdir(inside);
    await Promise.all(
      Array.from({ length: 100 }, (_, j) =>
        writeFile(join(inside, `file-${j}.js`), `export default ${i * 100 + j};\n`),
      ),
    );
  }
  const { bytes, release } = await packFolder(folder.path);
  expect(release.manifest.entries).toHaveLength(FILES);
  // A hash of 32 bytes each, and little else.
  expect(bytes.length).toBeLessThan(FILES * 48);
  expect(encodeRelease(release.manifest).equals(bytes)).toBe(true);
  expect(await compareTree(release.manifest, folder.path)).toEqual([]);
});

// A file with holes: it takes no room, but every zero is read and hashed, which takes 20 s: only with ROOKERY_TEST_LARGE.
test.runIf(ROOKERY_TEST_LARGE)('a file over 4 GiB', { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  const size = 2 ** 32 + 12_345;
  {
    await using handle = await open(join(folder.path, 'huge'), 'w');
    await handle.truncate(size);
    await handle.write(Buffer.from('at the end'), 0, 10, size - 10);
    await handle.write(Buffer.from('in the middle'), 0, 13, 2 ** 31 + 5);
  }
  const { release } = await packFolder(folder.path);
  expect(release.manifest.entries).toMatchObject([{ size }]);
  expect(await compareTree(release.manifest, folder.path)).toEqual([]);
  {
    await using handle = await open(join(folder.path, 'huge'), 'r+');
    await handle.write(Buffer.from('I'), 0, 1, 2 ** 31 + 5);
  }
  expect((await compareTree(release.manifest, folder.path)).map(({ kind }) => kind)).toEqual(['changed']);
});

test('the last bytes of a file over 4 GiB are written to their place, and read from there', async () => {
  await using folder = await temporaryFolder();
  // One chunk that makes up 4 GiB by coming again and again, and one behind it: only that one is written here.
  const [long, last] = [new Random(1).bytes(131_072), new Random(2).bytes(5_000)];
  const size = 2 ** 32 + last.length;
  const payload = Buffer.concat([long, last]);
  const pieces = Array.from({ length: Math.ceil(payload.length / 4_096) }, (_, i) =>
    hash('sha1', payload.subarray(4_096 * i, 4_096 * (i + 1)), 'buffer'),
  );
  const layout = createLayout({
    app: 'shop',
    version: '1',
    entries: [
      {
        kind: 'file',
        path: pathFromText('huge'),
        executable: false,
        size,
        sha256: Buffer.alloc(32),
        chunks: [...new Array<number>(2 ** 15).fill(0), 1],
      },
    ],
    chunks: { lengths: [long.length, last.length], ids: ['x'.repeat(8), 'y'.repeat(8)] },
    pieceLength: 4_096,
    pieces: Buffer.concat(pieces),
  });
  {
    await using staging = await openStaging(folder.path, layout);
    for (const piece of [32, 33]) {
      await staging.write(piece, payload.subarray(4_096 * piece, 4_096 * (piece + 1)));
    }
  }
  await using handle = await open(join(folder.path, 'huge'));
  expect((await handle.stat()).size).toBe(size);
  const there = Buffer.alloc(last.length);
  await handle.read(there, 0, there.length, 2 ** 32);
  expect(there.equals(last)).toBe(true);
  await using reader = createPieceReader(
    planReuse(layout, [{ folder: folder.path, content: layout.manifest }]),
  );
  expect((await reader.read(32))?.equals(last.subarray(0, 4_096))).toBe(true);
  expect(await reader.read(0)).toBeUndefined();
});
