import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Random, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { displayPath, pathFromBytes } from '../../src/release/path.ts';
import { planReuse } from '../../src/release/reuse.ts';
import { assemble } from '../../src/tree/assemble.ts';
import { compareTree } from '../../src/tree/compare.ts';
import { openStaging } from '../../src/tree/staging.ts';
import { verify } from '../../src/verify.ts';
import { layoutOf, packFolder, plant, refusal, snapshot } from '../support.ts';

const execute = promisify(execFile);

/** Packs a folder, builds it elsewhere from nothing but pieces, and compares the two. */
async function roundTrip(folder: string, target: string): Promise<void> {
  const packed = await packFolder(folder);
  const layout = layoutOf(packed);
  const plan = planReuse(layout, [{ folder, content: packed.release.manifest }]);
  await using staging = await openStaging(target, layout);
  expect(await assemble(plan, staging)).toEqual([]);
  await staging.finish();
  const [from, to] = [await snapshot(folder), await snapshot(target)];
  const withoutTimes = (seen: Map<string, string>): string[] =>
    [...seen].map(([path, what]) => `${path} ${what.replace(/ \d[\d.]* /, ' ')}`).sort();
  expect(withoutTimes(to)).toEqual(withoutTimes(from));
  expect(await compareTree(packed.release.manifest, target, { exactModes: true })).toEqual([]);
}

test('everything counts: dotfiles, odd names in any encoding, links, exec bits, empty files and folders', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await plant(source.path, {
    '.env': 'SECRET=1',
    '.next/cache/.keep': '',
    '...': 'three dots',
    '-rf': 'an option?',
    ' ': 'a space',
    'line\nbreak': 'n',
    'back\\slash': 'b',
    'quote"\'$(id)': 'q',
    'trailing. ': 't',
    'con:<>|?*': 'windows',
    'ünïcödé/日本/🦜': 'text',
    run: { executable: '#!/bin/sh\n' },
    'deep/a/b/c/d/e/f/g': 'deep',
    'deep/up': { link: '../run' },
    'deep/folder': { link: 'a/b' },
    dangling: { link: 'nowhere' },
    self: { link: '.' },
    'empty/of/all': 'folder!',
    'empty/file': '',
    big: new Random(1).bytes(700_000),
    same: new Random(1).bytes(700_000),
  });
  for (const name of [[0xff, 0xfe], [0xe9], [0xc9], [0x80, 0x0a, 0x1b], [0xed, 0xa0, 0x80]]) {
    await writeFile(Buffer.concat([Buffer.from(`${source.path}/`), Buffer.from(name)]), Buffer.from(name));
  }
  await symlink(Buffer.from([0xff, 0xfe]), join(source.path, 'to-bytes'));
  await mkdir(Buffer.concat([Buffer.from(`${source.path}/`), Buffer.from([0xfe])]));
  await roundTrip(source.path, join(target.path, 'tree'));
});

test('an empty folder, and one with only empty things, are releases too', async () => {
  await using source = await temporaryFolder();
  await using target = await temporaryFolder();
  await roundTrip(source.path, join(target.path, 'a'));
  await plant(source.path, { empty: '', 'folder/of/nothing': 'folder!' });
  await roundTrip(source.path, join(target.path, 'b'));
});

test.each<[string, RegExp, (root: string) => Promise<unknown>]>([
  [
    'a named pipe',
    /^kind-unsupported: a\/pipe: a named pipe/,
    (root) => execute('mkfifo', [join(root, 'a/pipe')]),
  ],
  ['a setuid file', /^mode-unsupported: a\/f/, (root) => chmod(join(root, 'a/f'), 0o4755)],
  ['a setgid file', /^mode-unsupported: a\/f/, (root) => chmod(join(root, 'a/f'), 0o2755)],
  ['a link out of the tree', /^link-escapes: a\/l/, (root) => symlink('../../etc', join(root, 'a/l'))],
  ['an absolute link', /^link-escapes: a\/l/, (root) => symlink(join(root, 'a/f'), join(root, 'a/l'))],
  ['names that differ only in case', /^path-case: a\/f and a\/F/, (root) => writeFile(join(root, 'a/F'), '')],
])('%s: refused by name', async (_, expected, make) => {
  await using source = await temporaryFolder();
  await plant(source.path, { 'a/f': 'f' });
  await make(source.path);
  expect(await refusal(packFolder(source.path))).toMatch(expected);
});

test('a socket is refused, and all that is in the way is told at once', async () => {
  await using source = await temporaryFolder();
  const server = createServer().listen(join(source.path, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  await execute('mkfifo', [join(source.path, 'pipe')]);
  const error = await packFolder(source.path).catch((thrown: unknown) => thrown);
  server.close();
  expect(error).toMatchObject({
    code: 'kind-unsupported',
    problems: expect.arrayContaining([
      "socket: a socket can't be carried",
      "pipe: a named pipe can't be carried",
    ]),
  });
});

test('ignore files: each for its folder and below, deeper ones over higher ones, later lines over earlier', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, {
    '.rookeryignore': '# comment\nvoilà  \nna??ve\n*.log\n/only-top\nbuild/\n!keep.log\nlogs/*\n',
    '.git/config': 'never',
    'sub/.git': 'gitdir: elsewhere',
    'a.log': '',
    'keep.log': '',
    'A.LOG': '',
    'only-top': '',
    'sub/only-top': '',
    'build/out': '',
    'sub/build/out': '',
    'sub/.rookeryignore': '!build/\nlocal\n/here\ndeep/er\n',
    'sub/local': '',
    'sub/x/local': '',
    'sub/here': '',
    'sub/x/here': '',
    'sub/deep/er': '',
    voilà: '',
    'été.log': '',
    naïve: '',
    'sub/x/deep/er': '',
    local: '',
    'logs/today': '',
    'sub/b.log': '',
    'we[i]rd !#/.rookeryignore': 'gone\n',
    'we[i]rd !#/gone': '',
    'we[i]rd !#/stays': '',
  });
  const { release } = await packFolder(source.path);
  expect(release.manifest.entries.map(({ path }) => displayPath(path))).toEqual([
    '.rookeryignore',
    'A.LOG',
    'keep.log',
    'local',
    'logs',
    'sub/.rookeryignore',
    'sub/build/out',
    'sub/deep',
    'sub/only-top',
    'sub/x/deep/er',
    'sub/x/here',
    'we[i]rd !#/.rookeryignore',
    'we[i]rd !#/stays',
  ]);
});

test('an ignore file can name bytes that are no text, and never takes .git in', async () => {
  await using source = await temporaryFolder();
  const odd = Buffer.concat([Buffer.from(`${source.path}/`), Buffer.of(0xff)]);
  await writeFile(odd, '');
  await plant(source.path, { '.git/HEAD': '', '.rookeryignore': Buffer.from('!.git\n!*\n\xff\n', 'latin1') });
  const { release } = await packFolder(source.path);
  expect(release.manifest.entries.map(({ path }) => path)).toEqual(['.rookeryignore']);
});

test('an ignore file that is a link is just a link', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, {
    rules: 'a',
    a: '',
    '.rookeryignore': { link: 'rules' },
    'sub/.rookeryignore': 'folder!',
  });
  expect((await packFolder(source.path)).release.manifest.entries).toHaveLength(4);
});

test('what is ignored can be what could not be carried', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, { '.rookeryignore': 'pipe\nout', out: { link: '/etc' } });
  await execute('mkfifo', [join(source.path, 'pipe')]);
  expect((await packFolder(source.path)).release.manifest.entries).toHaveLength(1);
});

test('the release file itself is left out, and the key that signs is not let out', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, { a: 'a', 'old.release': 'bytes', 'secrets/key': 'pem' });
  const leaveOut = [join(source.path, 'old.release')];
  const secrets = [join(source.path, 'secrets/key')];
  const { release } = await packFolder(source.path, { leaveOut });
  expect(release.manifest.entries.map(({ path }) => path)).toEqual(['a', 'secrets/key']);
  expect(await refusal(packFolder(source.path, { secrets }))).toMatch(/^key-in-tree: secrets\/key/);
  await plant(source.path, { '.rookeryignore': '/secrets\n' });
  await packFolder(source.path, { secrets });
});

test('a tree that is written to while it is packed is refused', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, { a: new Random(1).bytes(3_000_000), b: new Random(2).bytes(3_000_000) });
  let touched: Promise<unknown> | undefined;
  const onProgress = (): void => {
    touched ??= appendFile(join(source.path, 'b'), 'more');
  };
  expect(await refusal(packFolder(source.path, { onProgress }))).toMatch(/^tree-changed: b/);
  await touched;
});

test('the same tree gives the same bytes: order of creation, umask, times, locale and place do not matter', async () => {
  await using one = await temporaryFolder();
  await using other = await temporaryFolder('rookery-elsewhere-');
  const tree = {
    'b/late': 'late',
    'a/early': 'early',
    'Äpfel/ö': 'umlauts',
    z: new Random(3).bytes(400_000),
    run: { executable: 'x' },
    link: { link: 'a/early' },
    'empty/folder': 'folder!',
  } as const;
  await plant(one.path, tree);
  const umask = process.umask(0o077);
  try {
    await plant(other.path, Object.fromEntries(Object.entries(tree).reverse()));
  } finally {
    process.umask(umask);
  }
  await chmod(join(other.path, 'run'), 0o711);
  await utimes(join(other.path, 'z'), 1, 1);
  await rename(join(other.path, 'a'), join(other.path, 'moved'));
  await rename(join(other.path, 'moved'), join(other.path, 'a'));

  const key = parseSigningKey(PINNED_KEY);
  const first = await packFolder(one.path, { key });
  const second = await packFolder(other.path, { key });
  expect(second.bytes.equals(first.bytes)).toBe(true);
  // Pinned: another value says that the format has changed, and with it the release of every tree there is.
  expect(first.release.infoHash).toBe('c1e92e82f4e6e1fbb63c1efa02b034df41d6e59f');
  expect(first.release.id).toBe('e1285756c49051947724f443c2429f17b381e5cfc0c69bb02f5d3cc90489aed3');

  const elsewhere = await packFolder(other.path, {
    app: 'another',
    version: '2',
    timeSeconds: 99,
    commit: 'ab'.repeat(20),
  });
  expect(elsewhere.release.infoHash).toBe(first.release.infoHash);
});

const PINNED_KEY = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`;

test('verify names all that differs, and nothing else', async () => {
  await using source = await temporaryFolder();
  const { privatePem, publicPem } = generateKeys();
  await plant(source.path, {
    'a/same': 'same',
    'a/gone': 'gone',
    'a/altered': 'altered',
    'a/longer': 'longer',
    'a/mode': 'mode',
    'a/kind': 'kind',
    link: { link: 'a/same' },
    'other-link': { link: 'a/same' },
    'empty/folder': 'folder!',
    'was/folder/file': 'x',
  });
  const { bytes } = await packFolder(source.path, { key: parseSigningKey(privatePem) });
  const trust = [parsePublicKey(publicPem)];
  const clean = await verify({ release: bytes, folder: source.path, trust });
  expect(clean.differences).toEqual([]);

  const at = (path: string): string => join(source.path, path);
  await rm(at('a/gone'));
  await writeFile(at('a/altered'), 'ALTERED');
  await appendFile(at('a/longer'), '!');
  await chmod(at('a/mode'), 0o755);
  await rm(at('a/kind'));
  await symlink('same', at('a/kind'));
  await rm(at('link'));
  await symlink('a/mode', at('link'));
  await rm(at('empty'), { recursive: true });
  await rm(at('was/folder'), { recursive: true });
  await writeFile(at('was/folder'), '');
  await plant(source.path, { 'extra/file': '', '.hidden': '', 'extra-link': { link: '/etc/passwd' } });
  await writeFile(Buffer.concat([Buffer.from(`${source.path}/`), Buffer.of(0xff)]), '');

  const { differences } = await verify({ release: bytes, folder: source.path, trust });
  expect(differences.map(({ kind, path }) => `${kind} ${displayPath(path)}`)).toEqual([
    'extra .hidden',
    'changed a/altered',
    'missing a/gone',
    'wrong-kind a/kind',
    'changed a/longer',
    'wrong-mode a/mode',
    'missing empty/folder',
    'extra extra',
    'extra extra-link',
    'extra extra/file',
    'wrong-link link',
    'wrong-kind was/folder',
    'missing was/folder/file',
    'extra \\xff',
  ]);
});

test('modes: a umask makes no difference, unless exact modes are asked for', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, { a: 'a', run: { executable: 'x' } });
  const { release } = await packFolder(source.path);
  await chmod(join(source.path, 'a'), 0o600);
  await chmod(join(source.path, 'run'), 0o700);
  expect(await compareTree(release.manifest, source.path)).toEqual([]);
  expect(
    (await compareTree(release.manifest, source.path, { exactModes: true })).map(({ kind }) => kind),
  ).toEqual(['wrong-mode', 'wrong-mode']);
  await chmod(join(source.path, 'run'), 0o4755);
  expect((await compareTree(release.manifest, source.path)).map(({ kind }) => kind)).toEqual(['wrong-mode']);
});

test('a folder that is not there, or is a file, is refused', async () => {
  await using source = await temporaryFolder();
  await plant(source.path, { file: '' });
  expect(await refusal(packFolder(join(source.path, 'nothing')))).toMatch(/^tree-unreadable/);
  expect(await refusal(packFolder(join(source.path, 'file')))).toMatch(/^tree-unreadable/);
});

test('names in bytes are shown so that a person can tell them', () => {
  expect(displayPath(pathFromBytes(Buffer.from([0x61, 0xff, 0x0a])))).toBe('a\\xff\\x0a');
});
