import { execFile } from 'node:child_process';
import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Random, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { type Packed, pack } from '../../src/pack.ts';
import { displayPath } from '../../src/release/path.ts';
import { packFolder, plant, refusal } from '../support.ts';

const execute = promisify(execFile);

const IDENTITY = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_AUTHOR_DATE: '1700000000 +0100',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
  GIT_COMMITTER_DATE: '1700000001 +0100',
  GIT_CONFIG_GLOBAL: '/dev/null',
};

async function git(repository: string, ...args: string[]): Promise<string> {
  const options = { env: { ...process.env, ...IDENTITY } };
  return (await execute('git', ['-C', repository, ...args], options)).stdout.trim();
}

/** A repository of one commit; returns the commit. */
async function commitAll(repository: string): Promise<string> {
  await git(repository, 'init', '-q', '-b', 'main');
  await git(repository, 'add', '-Af');
  await git(repository, 'commit', '-qm', 'one');
  return git(repository, 'rev-parse', 'HEAD');
}

function packRef(repository: TemporaryFolder, ref: string): Promise<Packed> {
  return pack({ source: { repository: repository.path, ref }, app: 'shop', version: '1.0.0' });
}

async function plantSources(root: string): Promise<void> {
  await plant(root, {
    'src/a.js': 'a',
    'src/large.bin': new Random(1).bytes(1_500_000),
    run: { executable: '#!/bin/sh\n' },
    'link-to-run': { link: 'run' },
    'folder-link': { link: 'src' },
    'line\nbreak': 'n',
    ünïcödé: 'u',
    empty: '',
    '.hidden/file': 'h',
    '.rookeryignore': '*.test.js\n',
    'src/a.test.js': 'ignored',
    'tests/only.test.js': 'ignored',
  });
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xff, 0xfe)]), 'bytes');
  await symlink(Buffer.of(0xff, 0xfe), join(root, 'to-bytes'));
}

test('a ref gives the same release as the folder of a clean checkout, commit and time stated', async () => {
  await using repository = await temporaryFolder();
  await using checkout = await temporaryFolder();
  await plantSources(repository.path);
  const commit = await commitAll(repository.path);
  await execute('git', ['clone', '-q', repository.path, join(checkout.path, 'clone')]);

  const fromRef = await packRef(repository, 'main');
  const fromFolder = await packFolder(join(checkout.path, 'clone'), { commit, timeSeconds: 1_700_000_001 });
  expect(fromRef.release.manifest.entries.map(({ path }) => displayPath(path))).toContain('tests');
  expect(fromRef.release.manifest.commit).toBe(commit);
  expect(fromRef.release.manifest.timeSeconds).toBe(1_700_000_001);
  expect(fromRef.bytes.equals(fromFolder.bytes)).toBe(true);
  for (const ref of [commit, 'HEAD', commit.slice(0, 10), 'refs/heads/main']) {
    expect((await packRef(repository, ref)).bytes.equals(fromRef.bytes)).toBe(true);
  }
});

test('what is in the working folder does not count', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, { a: 'committed' });
  await commitAll(repository.path);
  const before = await packRef(repository, 'HEAD');
  await plant(repository.path, { a: 'changed', b: 'new', '.rookeryignore': 'a' });
  expect((await packRef(repository, 'HEAD')).bytes.equals(before.bytes)).toBe(true);
});

test('no filters, line ends, export attributes or replaced objects: blobs as git stores them', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, {
    '.gitattributes': '*.txt text eol=crlf\nhidden export-ignore\nv export-subst\n*.f filter=shout\n',
    'a.txt': 'one\ntwo\n',
    hidden: 'carried',
    v: '$Format:%H$',
    'x.f': 'quiet',
  });
  const commit = await commitAll(repository.path);
  await git(repository.path, 'config', 'filter.shout.smudge', 'tr a-z A-Z');
  const plain = await packRef(repository, commit);
  const sizes = Object.fromEntries(
    plain.release.manifest.entries.map((entry) => [entry.path, entry.kind === 'file' ? entry.size : -1]),
  );
  expect(sizes).toMatchObject({ 'a.txt': 8, hidden: 7, v: 11, 'x.f': 5 });

  const blob = await git(repository.path, 'rev-parse', `${commit}:hidden`);
  const other = await git(repository.path, 'rev-parse', `${commit}:v`);
  await git(repository.path, 'replace', '-f', blob, other);
  expect((await packRef(repository, commit)).bytes.equals(plain.bytes)).toBe(true);
});

test('a submodule is refused by name', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, { a: 'a' });
  const commit = await commitAll(repository.path);
  await git(repository.path, 'update-index', '--add', '--cacheinfo', `160000,${commit},vendor/lib`);
  await git(repository.path, 'commit', '-qm', 'two');
  expect(await refusal(packRef(repository, 'HEAD'))).toMatch(/^kind-unsupported: vendor\/lib: a submodule/);
});

test('a pointer of Git LFS is refused by name', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, {
    'big.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`,
  });
  await commitAll(repository.path);
  expect(await refusal(packRef(repository, 'HEAD'))).toMatch(/^kind-unsupported: big\.bin: only a pointer/);
});

test('links out of the tree and names that differ only in case are refused in git too', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, { a: { link: '../../etc/passwd' } });
  await commitAll(repository.path);
  expect(await refusal(packRef(repository, 'HEAD'))).toMatch(/^link-escapes: a/);
  await rm(join(repository.path, 'a'));
  await plant(repository.path, { readme: '1', README: '2' });
  await git(repository.path, 'add', '-A');
  await git(repository.path, 'commit', '-qm', 'two');
  expect(await refusal(packRef(repository, 'HEAD'))).toMatch(/^path-case/);
});

test('a ref that is none, a ref like an option, and a folder without git are refused', async () => {
  await using repository = await temporaryFolder();
  expect(await refusal(packRef(repository, 'main'))).toMatch(/^git-failed: main: .*not a git repository/);
  await plant(repository.path, { a: 'a' });
  await commitAll(repository.path);
  expect(await refusal(packRef(repository, 'no-such'))).toMatch(
    /^git-failed: no-such: neither a folder nor a commit/,
  );
  expect(await refusal(packRef(repository, '--all'))).toMatch(/^git-failed: --all: neither/);
  expect(await refusal(packRef(repository, 'HEAD:a'))).toMatch(/^git-failed: HEAD:a: neither/);
});

test('a blob that git has lost is told', async () => {
  await using repository = await temporaryFolder();
  await plant(repository.path, { a: 'a', b: 'b' });
  await commitAll(repository.path);
  const blob = await git(repository.path, 'rev-parse', 'HEAD:b');
  await rm(join(repository.path, '.git/objects', blob.slice(0, 2), blob.slice(2)));
  expect(await refusal(packRef(repository, 'HEAD'))).toMatch(/^git-failed/);
});
