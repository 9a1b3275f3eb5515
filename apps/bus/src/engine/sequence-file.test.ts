import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { readSequence, writeSequence } from './sequence-file.ts';

const NOW = Date.UTC(2026, 0, 1);
const SINCE_2020 = (NOW - Date.UTC(2020, 0, 1)) / 1000;

it('begins at the seconds since 2020, in a folder that is not there yet', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'a', 'b', 'ring-d1');
  expect(await readSequence(path, NOW)).toBe(SINCE_2020);
  await writeSequence(path, 17);
  expect(await readFile(path, 'utf8')).toBe('17\n');
});

it('goes on from what was stored if that is more, whatever the clock says', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'ring-d1');
  await writeSequence(path, SINCE_2020 + 1000);
  expect(await readSequence(path, NOW)).toBe(SINCE_2020 + 1000);
  expect(await readSequence(path, 0)).toBe(SINCE_2020 + 1000);
  expect(await readSequence(path, NOW + 5_000_000)).toBe(SINCE_2020 + 5000);
});

it('leaves one file, whole, and passes over half a write of an earlier life', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'ring-d1');
  await writeFile(`${path}.next`, '99999999999');
  await writeSequence(path, 5);
  expect(await readdir(folder.path)).toEqual(['ring-d1']);
  expect(await readFile(path, 'utf8')).toBe('5\n');
});

it('a file that holds no number counts for nothing', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'ring-d1');
  for (const text of ['', 'x', '-5', '1e9', '12 13', '9'.repeat(30)]) {
    await writeFile(path, text);
    expect(await readSequence(path, NOW), text).toBe(SINCE_2020);
  }
});

it('what can’t be read or written is an error, not a new beginning', async () => {
  await using folder = await temporaryFolder();
  await expect(readSequence(folder.path, NOW)).rejects.toThrow('EISDIR');
  await writeFile(join(folder.path, 'file'), '');
  await expect(writeSequence(join(folder.path, 'file', 'ring'), 1)).rejects.toThrow();
});
