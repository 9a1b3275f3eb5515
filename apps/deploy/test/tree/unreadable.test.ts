import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { compareTree } from '../../src/tree/compare.ts';
import { scanFolder } from '../../src/tree/scan.ts';
import { packFolder, plant, refusal } from '../support.ts';

// A release that runs has what its app has put there: folders of another user's, files that come and go. Too deep for a
// path is what stands for all of them, as it is unreadable for root, too.

const run = promisify(execFile);

async function digTooDeep(folder: string): Promise<AsyncDisposable> {
  const name = 'd'.repeat(200);
  await run('sh', ['-c', `for i in $(seq 25); do mkdir ${name} && cd -P ${name} || exit; done`], {
    cwd: folder,
  });
  return { [Symbol.asyncDispose]: async () => void (await run('rm', ['-rf', join(folder, name)])) };
}

test('what can’t be read in an older release is left out, and what lies beside the files of one is extra', async () => {
  await using folder = await temporaryFolder();
  await plant(folder.path, { 'lib/code.js': 'code', 'cache/known': 'known' });
  const { release } = await packFolder(folder.path);
  await using _deep = await digTooDeep(join(folder.path, 'cache'));

  const { content } = await scanFolder(folder.path);
  expect(content.entries.map(({ path }) => path).sort()).toEqual(['cache/known', 'lib/code.js']);
  const differences = await compareTree(release.manifest, folder.path);
  expect(new Set(differences.map(({ kind }) => kind))).toEqual(new Set(['extra']));
  expect(await refusal(packFolder(folder.path))).toMatch(/^tree-unreadable: cache/);
});
