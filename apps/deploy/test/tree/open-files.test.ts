import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { openFiles } from '../../src/tree/open-files.ts';

test('files that are gone keep nobody waiting who waits for a place', async () => {
  await using folder = await temporaryFolder();
  const there = Buffer.from(join(folder.path, 'there'));
  const gone = Buffer.from(join(folder.path, 'gone'));
  const other = Buffer.from(join(folder.path, 'other'));
  await writeFile(there, '');
  await writeFile(other, '');
  await using files = openFiles({ filesMax: 1, flags: constants.O_RDONLY });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const first = files.use(there, () => released);
  const waiting = Promise.allSettled([
    files.use(gone, () => 'gone'),
    files.use(gone, () => 'gone'),
    files.use(other, () => 'other'),
  ]);
  release();
  await first;
  expect(await waiting).toEqual([
    { status: 'rejected', reason: expect.objectContaining({ code: 'ENOENT' }) },
    { status: 'rejected', reason: expect.objectContaining({ code: 'ENOENT' }) },
    { status: 'fulfilled', value: 'other' },
  ]);
});
