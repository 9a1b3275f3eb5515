import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { encodeRelease } from '../../src/release/container.ts';
import { compareTree } from '../../src/tree/compare.ts';
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
