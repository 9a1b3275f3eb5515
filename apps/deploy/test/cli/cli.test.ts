import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { beforeAll, expect, test, vi } from 'vitest';
import { run as runCommand } from '../../src/cli.ts';
import { plant } from '../support.ts';

const CLI = pathToFileURL(join(import.meta.dirname, '../../src/cli.ts')).href;
const PACK_SHOP = 'pack site --app shop --version 1.4.2 --key release.key -o';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of --json. */
  readonly events: Record<string, unknown>[];
}

let work: TemporaryFolder;
const at = (path: string): string => join(work.path, path);

async function run(line: string | readonly string[]): Promise<Ran> {
  const args = typeof line === 'string' ? line.split(' ') : line;
  let stdout = '';
  let stderr = '';
  const code = await runCommand(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  const lines = args.includes('--json') ? stdout.split('\n').filter(Boolean) : [];
  return { code, stdout, stderr, events: lines.map((line) => JSON.parse(line)) };
}

beforeAll(async () => {
  work = await temporaryFolder();
  const before = process.cwd();
  process.chdir(work.path);
  await plant(work.path, {
    'site/index.html': '<h1>',
    'site/run': { executable: '#!/bin/sh\n' },
    'site/now': { link: 'run' },
    'site/uploads': 'folder!',
  });
  await run('keygen --out release.key');
  await run(`${PACK_SHOP} shop.release`);
  return async () => {
    process.chdir(before);
    await work.remove();
  };
});

test('keygen writes a secret key and a public one, and never over others', async () => {
  expect((await stat(at('release.key'))).mode & 0o777).toBe(0o600);
  expect(await readFile(at('release.key.pub'), 'utf8')).toContain('BEGIN PUBLIC KEY');
  const before = await readFile(at('release.key'), 'utf8');
  const again = await run('keygen --out release.key --json');
  expect(again).toMatchObject({ code: 1, events: [{ event: 'failed', code: 'key-exists' }] });
  expect(again.stderr).toMatch(/release\.key: there is a file already/);
  expect(await readFile(at('release.key'), 'utf8')).toBe(before);

  await writeFile(at('half.key.pub'), 'of another');
  expect((await run('keygen --out half.key')).code).toBe(1);
  await expect(stat(at('half.key'))).rejects.toThrow('ENOENT');
});

test('pack, show and verify, for people', async () => {
  const packed = await run(`${PACK_SHOP} two.release`);
  expect(packed).toMatchObject({ code: 0, stderr: '' });
  expect(packed.stdout).toMatch(
    /^shop 1\.4\.2\n[\s\S]*2 files, 1 links, 1 empty folders[\s\S]*two\.release written/,
  );
  const shown = await run('show two.release --files --trust release.key.pub');
  expect(shown.stdout).toMatch(/index\.html\nlink now -> run\n0755 .* run\nempty folder uploads\n$/);
  const verified = await run('verify two.release site --trust release.key.pub');
  expect(verified).toMatchObject({ code: 0, stdout: 'site is shop 1.4.2, all 14 B of it.\n', stderr: '' });
});

test('the same command gives the same file, in another process, locale and time zone', {
  timeout: 60_000,
}, async () => {
  const script = `import(${JSON.stringify(CLI)}).then(({ main }) => main(['node', 'cli', ...process.argv.slice(1)]))`;
  await using child = await startProcess({
    command: process.execPath,
    args: [
      '--conditions=@rookery/source',
      '--eval',
      script,
      '--',
      ...`${PACK_SHOP} again.release`.split(' '),
    ],
    cwd: work.path,
    env: { LC_ALL: 'tr_TR.UTF-8', TZ: 'Asia/Tokyo' },
  });
  expect(await child.waitForExit(60_000)).toMatchObject({ code: 0 });
  expect((await readFile(at('again.release'))).equals(await readFile(at('shop.release')))).toBe(true);
});

test('pack --json and show --json say the same of a release', async () => {
  const commit = 'ab'.repeat(20);
  vi.stubEnv('SOURCE_DATE_EPOCH', '1700000000');
  const packed = await run(`pack site --app shop --version 2 -o j.release --commit ${commit} --json`);
  vi.unstubAllEnvs();
  const last = packed.events.at(-1)!;
  expect(last).toMatchObject({
    event: 'packed',
    file: 'j.release',
    app: 'shop',
    version: '2',
    commit,
    time: '2023-11-14T22:13:20Z',
    signer: null,
    files: 2,
    links: 1,
    empty_folders: 1,
    tree_bytes: 14,
    payload_bytes: 14,
    pieces: 1,
    piece_bytes: 4_096,
  });
  expect(packed.events[0]).toMatchObject({ event: 'progress', phase: 'packing', total_bytes: 14 });
  const shown = await run('show j.release --json --files');
  const { event: _, file: __, ...facts } = last;
  expect(shown.events[0]).toMatchObject({ event: 'release', trusted: null, ...facts });
  expect(shown.events.slice(1).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    'file index.html',
    'link now',
    'file run',
    'folder uploads',
  ]);
});

test('verify exits with 1 and names each difference', async () => {
  await plant(work.path, { 'other/index.html': '<h2>', 'other/more': '' });
  const { code, events } = await run('verify shop.release other --trust release.key.pub --json');
  expect(code).toBe(1);
  expect(
    events.filter(({ event }) => event === 'difference').map(({ kind, path }) => `${kind} ${path}`),
  ).toEqual(['changed index.html', 'extra more', 'missing now', 'missing run', 'missing uploads']);
  expect(events.at(-1)).toMatchObject({ event: 'verified', same: false, differences: 5 });
});

test('a release by another key is not verified, and one of several trusted keys is enough', async () => {
  await run('keygen --out stranger.key');
  const line = 'verify shop.release site --trust stranger.key.pub';
  expect(await run(`${line} --json`)).toMatchObject({
    code: 1,
    events: [{ event: 'failed', code: 'key-untrusted' }],
  });
  expect((await run(`${line} --trust release.key.pub`)).code).toBe(0);
});

test('wrong calls exit with 2, before anything is done', async () => {
  for (const line of [
    'pack site --app shop --version 1',
    'pack site --app ../x --version 1 -o x.release',
    'pack site --app shop --version  -o x.release',
    'pack site --app shop --version 1 -o x.release --commit main',
    'verify shop.release site',
    'show',
    'nonsense',
  ]) {
    expect(await run(line), line).toMatchObject({ code: 2, stdout: '' });
  }
  vi.stubEnv('SOURCE_DATE_EPOCH', 'today');
  const epoch = await run('pack site --app a --version 1 -o x.release');
  vi.unstubAllEnvs();
  expect(epoch.code).toBe(2);
  await expect(stat(at('x.release'))).rejects.toThrow('ENOENT');
});

test.for(['..', '.hidden', '-rf', 'a b', 'a/b', '../a', 'é', '$(id)', 'a\n', '', 'a'.repeat(129)])(
  'an app, a version, a folder and a release to go back to can’t be named %j',
  async (name) => {
    const push = ['push', 'shop.release', '--trust', 'release.key.pub', '--hosts', 'hosts.toml'];
    for (const args of [
      ['pack', 'site', '--app', name, '--version', '1', '-o', 'x.release'],
      ['pack', 'site', '--app', 'shop', '--version', name, '-o', 'x.release'],
      [...push, '--as', name],
      ['rollback', '--hosts', 'hosts.toml', '--to', name],
    ]) {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }, `${args.join(' ')}: ${stderr}`).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/must begin with a letter or digit|argument missing/);
    }
    await expect(stat(at('x.release'))).rejects.toThrow('ENOENT');
  },
);

test('a release file that could not be written is told before anything is read', async () => {
  const { code, stderr } = await run('pack nowhere --app shop --version 1 -o no/such/folder/x.release');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^rookery-deploy: no\/such\/folder\/x\.release: ENOENT/);
});

test('a release that fails leaves the old file as it was', async () => {
  await writeFile(at('kept.release'), 'old');
  await plant(work.path, { 'bad/l': { link: '/etc/passwd' } });
  const { code, stderr } = await run('pack bad --app shop --version 1 -o kept.release');
  expect(code).toBe(1);
  expect(stderr).toBe('rookery-deploy: l: the link leads out of the tree (to /etc/passwd)\n');
  expect(await readFile(at('kept.release'), 'utf8')).toBe('old');
});

test('the release and the key may lie in the folder: the one does not count, the other is refused', async () => {
  await plant(work.path, { 'whole/a': 'a' });
  const line = 'pack whole --app all --version 1';
  await run(`${line} -o whole/in.release`);
  const first = await readFile(at('whole/in.release'));
  await run(`${line} -o whole/in.release`);
  expect((await readFile(at('whole/in.release'))).equals(first)).toBe(true);
  await run('keygen --out whole/key');
  const refused = await run(`${line} -o out.release --key whole/key`);
  expect(refused.stderr).toMatch(/key: the key that signs would travel/);
});

test('show --torrent writes a torrent, and says when there is nothing to transfer', async () => {
  const shown = await run('show shop.release --torrent shop.torrent --json');
  expect(shown.code).toBe(0);
  expect((await readFile(at('shop.torrent'))).subarray(0, 60).toString('latin1')).toBe(
    'd4:infod6:lengthi14e4:name15:rookery.payload12:piece lengthi',
  );
  await plant(work.path, { 'void/none': '' });
  await run('pack void --app void --version 1 -o void.release');
  expect((await run('show void.release --torrent void.torrent')).stderr).toMatch(/no torrent/);
});

test('a path that is no text is exact in JSON', async () => {
  await plant(work.path, { 'odd/a': 'a' });
  await writeFile(Buffer.concat([Buffer.from(at('odd/')), Buffer.of(0xff)]), 'b');
  await run('pack odd --app odd --version 1 -o odd.release');
  const { events } = await run('show odd.release --files --json');
  expect(events[2]).toMatchObject({ event: 'entry', path: '\\xff', path_base64: '/w==' });
});
