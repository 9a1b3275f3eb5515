import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { packFolder, plant } from '../support.ts';

const execute = promisify(execFile);

const NAMES = ['a', 'b', 'ab', 'c.log', 'd.txt', 'x y', '[z]', 'é', 'voilà', 'build'];
const PATTERNS = [
  'a',
  'b',
  '*.log',
  'd.*',
  '?',
  'a*',
  '**',
  '*',
  'x\\ y',
  '\\[z\\]',
  '[ab]',
  '[!a]',
  'é',
  'voil*',
  'voilà',
];

function pattern(random: Random): string {
  const parts = [random.pick(PATTERNS)];
  if (random.chance(0.3)) parts.unshift(random.pick(['a', 'b', '*', '**', 'build']));
  const anchor = random.chance(0.25) ? '/' : '';
  const negated = random.chance(0.25) ? '!' : '';
  const end = `${random.chance(0.3) ? '/' : ''}${random.chance(0.1) ? '  ' : ''}`;
  return `${negated}${anchor}${parts.join('/')}${end}`;
}

/** A small tree with an ignore file at its root and in some of its folders. */
function randomTree(random: Random): Record<string, string> {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (let i = 0; i < 25; i++) {
    const names = Array.from({ length: random.between(1, 3) }, () => random.pick(NAMES));
    const above = names.slice(1).map((_, length) => names.slice(0, length + 1).join('/'));
    const path = names.join('/');
    if (folders.has(path) || above.some((folder) => files.has(folder))) continue;
    files.add(path);
    for (const folder of above) folders.add(folder);
  }
  const tree: Record<string, string> = Object.fromEntries([...files].map((path) => [path, '']));
  for (const folder of ['', ...folders]) {
    if (folder !== '' && random.chance(0.7)) continue;
    const lines = Array.from({ length: random.between(1, 4) }, () => pattern(random));
    tree[join(folder, '.rookeryignore')] = `${lines.join('\n')}\n`;
  }
  return tree;
}

test('of any tree with any patterns, just the files count that git counts', { timeout: 60_000 }, async () => {
  await using repository = await temporaryFolder();
  await execute('git', ['init', '-q', repository.path]);
  for (let seed = 1; seed <= 60; seed++) {
    await using folder = await temporaryFolder();
    const tree = randomTree(new Random(seed));
    await plant(folder.path, tree);
    const { release } = await packFolder(folder.path);
    const ours = release.manifest.entries
      .filter(({ kind }) => kind === 'file')
      .map(({ path }) => Buffer.from(path, 'latin1').toString());
    const { stdout } = await execute(
      'git',
      ['ls-files', '-o', '-z', '--exclude-per-directory=.rookeryignore'],
      {
        cwd: folder.path,
        env: { ...process.env, GIT_DIR: join(repository.path, '.git'), GIT_WORK_TREE: folder.path },
      },
    );
    expect(ours.sort(), `seed ${seed}: ${JSON.stringify(tree)}`).toEqual(
      stdout.split('\0').filter(Boolean).sort(),
    );
  }
});
