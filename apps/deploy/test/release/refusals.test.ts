import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { encodeRelease, inspectRelease, openRelease } from '../../src/release/container.ts';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { RELEASE_LIMITS } from '../../src/release/limits.ts';
import type { Entry, Manifest } from '../../src/release/manifest.ts';
import { type BytePath, pathFromBytes, pathFromText } from '../../src/release/path.ts';
import { refusal } from '../support.ts';

const { privatePem, publicPem } = generateKeys();
const key = parseSigningKey(privatePem);
const trust = [parsePublicKey(publicPem)];

function manifestOf(entries: readonly Entry[], more: Partial<Manifest> = {}): Manifest {
  return {
    app: 'shop',
    version: '1.0.0',
    entries,
    chunks: { lengths: [], ids: [] },
    pieceLength: 16_384,
    pieces: new Uint8Array(),
    ...more,
  };
}

function file(path: string): Entry {
  return {
    kind: 'file',
    path: pathFromText(path),
    executable: false,
    size: 0,
    sha256: Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
    chunks: [],
  };
}

function link(path: string, target: string): Entry {
  return { kind: 'link', path: pathFromText(path), target: pathFromText(target) };
}

function sorted(...entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What happens to a release of these entries that a trusted key has signed. */
function open(...entries: Entry[]): Promise<string> {
  return refusal(() => openRelease(encodeRelease(manifestOf(entries), key), trust));
}

test('a signed release of a trusted key is taken', () => {
  const release = openRelease(encodeRelease(manifestOf([file('a')]), key), trust);
  expect(release.manifest.entries).toHaveLength(1);
  expect(release.signer).toEqual(trust[0]);
});

test('an unsigned release is refused', async () => {
  const bytes = encodeRelease(manifestOf([file('a')]));
  expect(await refusal(() => openRelease(bytes, trust))).toMatch(/^release-unsigned/);
  expect(inspectRelease(bytes).signer).toBeUndefined();
});

test('a release of another key is refused, and so is one without anybody to trust', async () => {
  const other = parseSigningKey(generateKeys().privatePem);
  const bytes = encodeRelease(manifestOf([file('a')]), other);
  expect(await refusal(() => openRelease(bytes, trust))).toMatch(/^key-untrusted/);
  expect(await refusal(() => openRelease(bytes, []))).toMatch(/^key-untrusted/);
});

test('the trusted key in the header does not make up for the signature of another', async () => {
  const forged = encodeRelease(manifestOf([file('a')]), parseSigningKey(generateKeys().privatePem));
  encodeRelease(manifestOf([file('a')]), key).copy(forged, 16, 16, 48);
  expect(await refusal(() => openRelease(forged, trust))).toMatch(/^signature-wrong/);
});

test('a release of which any single byte was altered is refused', async () => {
  const bytes = encodeRelease(manifestOf(sorted(file('a'), link('b', 'a'))), key);
  for (let at = 0; at < bytes.length; at++) {
    const altered = Buffer.from(bytes);
    altered[at]! ^= 1;
    expect(await refusal(() => openRelease(altered, trust)), `byte ${at}`).toMatch(
      /^(not-a-release|release-version|release-damaged|release-unsigned|key-untrusted|signature-wrong): /,
    );
  }
});

test('a signature taken off, or one that is not zero in an unsigned release, is refused', async () => {
  const bytes = encodeRelease(manifestOf([file('a')]), key);
  bytes[9] = 0;
  expect(await refusal(() => inspectRelease(bytes))).toMatch(/^release-damaged/);
  bytes.fill(0, 16, 112);
  expect(await refusal(() => openRelease(bytes, trust))).toMatch(/^release-unsigned/);
});

test.each<[string, RegExp, Entry[]]>([
  ['../', /^path-escapes: \.\.\/x/, [file('../x')]],
  ['../ further in', /^path-escapes/, [file('a/../../x')]],
  ['.. at the end', /^path-escapes/, [file('a/..')]],
  ['an absolute path', /^path-absolute: \/etc\/passwd/, [file('/etc/passwd')]],
  ['an empty path', /^path-invalid: \(empty\)/, [file('')]],
  ['an empty name', /^path-invalid/, [file('a//b')]],
  ['a slash at the end', /^path-invalid/, [file('a/')]],
  ['a dot', /^path-invalid/, [file('./a')]],
  ['a NUL', /^path-invalid: a\\x00b/, [file('a\0b')]],
  ['a name that is too long', /^path-invalid/, [file('n'.repeat(256))]],
  ['a path that is too long', /^path-invalid/, [file(`${'nnnn/'.repeat(720)}n`)]],
  ['a name twice', /^path-duplicate: a/, [file('a'), file('a')]],
  ['a name twice, of two kinds', /^path-duplicate: a/, [file('a'), link('a', 'b')]],
  ['paths out of order', /^release-damaged/, [file('b'), file('a')]],
  [
    'names that differ only in case',
    /^path-case: .*readme.* and .*README/,
    sorted(file('README'), file('readme')),
  ],
  ['folders that differ only in case', /^path-case/, sorted(file('Lib/a'), file('lib/b'))],
  ['a folder and a file that differ only in case', /^path-case/, sorted(file('Lib/a'), file('lib'))],
  ['names that differ only in case beyond ASCII', /^path-case/, sorted(file('ÉTÉ'), file('été'))],
  ['names that differ only in case by the long way', /^path-case/, sorted(file('straße'), file('STRASSE'))],
  ['names that differ only in Unicode form', /^path-case/, sorted(file('\u00e9'), file('e\u0301'))],
  ['a file below a file', /^path-conflict: a/, sorted(file('a'), file('a/b'))],
  ['a file below a link', /^path-conflict: a/, sorted(link('a', 'c'), file('a/b'))],
  [
    'an empty folder that holds something',
    /^path-conflict/,
    sorted({ kind: 'folder', path: pathFromText('a') }, file('a/b')),
  ],
  ['a link to an absolute path', /^link-escapes: l: .*\/etc\/passwd/, [link('l', '/etc/passwd')]],
  ['a link out of the tree', /^link-escapes/, [link('a/l', '../../x')]],
  ['a link that goes out and comes back', /^link-escapes/, [link('l', '../tree/x')]],
  [
    'a link out by way of another',
    /^link-escapes: l/,
    sorted(link('a/b/up', '../..'), link('l', 'a/b/up/../x')),
  ],
  [
    'a link out by way of a folder that another stands for',
    /^link-escapes/,
    sorted(link('d/e/root', '../..'), file('x'), link('d/e/l', 'root/d/../../..')),
  ],
  ['a link without a target', /^path-invalid/, [link('l', '')]],
  ['a link with a NUL', /^path-invalid/, [link('l', 'a\0')]],
])('%s: refused, though a trusted key has signed it', async (_, expected, entries) => {
  expect(await open(...entries)).toMatch(expected);
});

test.each<[string, Entry[]]>([
  [
    'names that are not text and fold to the same nonsense',
    sorted(
      { kind: 'folder', path: pathFromBytes(Buffer.of(0xe9)) },
      { kind: 'folder', path: pathFromBytes(Buffer.of(0xc9)) },
      file('é'),
    ),
  ],
  ['a link to the root of the tree', [link('a/l', '..')]],
  ['a link that dangles', [link('l', 'nowhere/at/all')]],
  ['links in a circle', sorted(link('a', 'b'), link('b', 'a'))],
  ['a link by way of another, inside', sorted(link('a/b/up', '../..'), link('l', 'a/b/up/x'), file('x'))],
  [
    'names like commands and options',
    sorted(file('-rf'), file('...'), file('a\nb'), file(' '), file('\\'), file('*')),
  ],
])('%s: taken', async (_, entries) => {
  expect(await open(...entries)).toBe('not refused');
});

test('names of the app and the version that would not do as folders are refused', async () => {
  for (const name of ['', '..', '.hidden', 'a/b', '-rf', 'a b', 'ü', 'x'.repeat(129)]) {
    const asApp = encodeRelease(manifestOf([], { app: name }), key);
    const asVersion = encodeRelease(manifestOf([], { version: name }), key);
    expect(await refusal(() => openRelease(asApp, trust))).toMatch(/^name-invalid/);
    expect(await refusal(() => openRelease(asVersion, trust))).toMatch(/^name-invalid/);
  }
});

test('a bomb of declared sizes is refused from a file of 100 bytes', async () => {
  const huge: Entry = { ...(file('f') as Extract<Entry, { kind: 'file' }>), size: 2 ** 52, chunks: [] };
  expect(await open(huge)).toMatch(/^release-too-large/);
});

test('links through links end soon, however many ways there are through them', async () => {
  // l0 -> l1/l1, l1 -> l2/l2, …: 2^40 names if each was followed to its end.
  const chain = Array.from({ length: 40 }, (_, i) =>
    link(`l${String(i).padStart(2, '0')}`, `l${i + 1}/l${i + 1}`),
  );
  expect(await open(...sorted(...chain))).toBe('not refused');
  const long = `${'x/../'.repeat(800)}x`;
  const many = Array.from({ length: 3_000 }, (_, i) => link(`m${String(i).padStart(5, '0')}`, long));
  const few = { ...RELEASE_LIMITS, linkSteps: 1_000_000 };
  const bytes = encodeRelease(manifestOf(many), key);
  expect(await refusal(() => openRelease(bytes, trust, few))).toMatch(/^release-too-large: .*links/);
});

test('a file that is larger than a release can be is refused unread', async () => {
  const bytes = encodeRelease(manifestOf([file('a')]), key);
  expect(await refusal(() => openRelease(bytes, trust, { ...RELEASE_LIMITS, releaseBytes: 100 }))).toMatch(
    /^release-too-large/,
  );
});

test('what is no release is refused', async () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('d4:infod'),
    Buffer.alloc(5_000),
    Buffer.from('ROOKREL\n'),
  ]) {
    expect(await refusal(() => inspectRelease(bytes))).toMatch(/^not-a-release/);
  }
  const later = encodeRelease(manifestOf([]), key);
  later[8] = 2;
  expect(await refusal(() => openRelease(later, trust))).toMatch(/^release-version/);
});

test('keys: only an Ed25519 key of the right half is taken', async () => {
  expect(await refusal(() => parsePublicKey(privatePem))).toMatch(/^key-invalid: .*private/);
  expect(await refusal(() => parseSigningKey(publicPem))).toMatch(/^key-invalid/);
  expect(await refusal(() => parsePublicKey('nonsense'))).toMatch(/^key-invalid/);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(
    await refusal(() => parsePublicKey(other.publicKey.export({ type: 'spki', format: 'pem' }).toString())),
  ).toMatch(/^key-invalid: .*Ed25519/);
});

test('a message never has control characters of a name in it', async () => {
  const said = await open(link('evil\n\x1b[2J\u202e', '/x' as BytePath));
  expect(said).toBe('link-escapes: evil\\x0a\\x1b[2J\\u{202e}: the link leads out of the tree (to /x)');
});
