import { createHash } from 'node:crypto';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { encodeRelease } from '../../src/release/container.ts';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import type { Entry, FileEntry } from '../../src/release/manifest.ts';
import { pathFromText } from '../../src/release/path.ts';
import { fetch } from '../../src/swarm/fetch.ts';
import { refusal } from '../support.ts';

// What a host is handed that it must not take: nothing is made anywhere, not even a staging folder, and nobody is asked.

const { privatePem, publicPem } = generateKeys();
const key = parseSigningKey(privatePem);

const EMPTY = createHash('sha256').digest();

function file(path: string, more: Partial<FileEntry> = {}): Entry {
  return {
    kind: 'file',
    path: pathFromText(path),
    executable: false,
    size: 0,
    sha256: EMPTY,
    chunks: [],
    ...more,
  };
}

function link(path: string, target: string): Entry {
  return { kind: 'link', path: pathFromText(path), target: pathFromText(target) };
}

function signed(entries: readonly Entry[], by: typeof key | undefined = key): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const nothing = { lengths: [], ids: [] };
  return encodeRelease(
    {
      app: 'shop',
      version: '1',
      entries: sorted,
      chunks: nothing,
      pieceLength: 4_096,
      pieces: new Uint8Array(),
    },
    by,
  );
}

function altered(): Buffer {
  const bytes = signed([file('a')]);
  bytes[bytes.length - 40]! ^= 1;
  return bytes;
}

test.each<[string, RegExp, Buffer]>([
  ['that nobody has signed', /^release-unsigned/, signedByNobody()],
  ['that was altered', /^signature-wrong/, altered()],
  ['of a wrong key', /^key-untrusted/, signed([file('a')], parseSigningKey(generateKeys().privatePem))],
  [
    'that is cut off',
    /^(release-damaged|signature-wrong|not-a-release)/,
    signed([file('a')]).subarray(0, 130),
  ],
  ['with ../', /^path-escapes: \.\.\/outside/, signed([file('../outside')])],
  ['with ../ further in', /^path-escapes/, signed([file('a/../../outside')])],
  ['with an absolute path', /^path-absolute: \/tmp\/outside/, signed([file('/tmp/outside')])],
  ['with a link out of the tree', /^link-escapes: a\/l/, signed([link('a/l', '../../outside')])],
  ['with an absolute link', /^link-escapes: l/, signed([link('l', '/etc')])],
  ['that writes through its own link', /^path-conflict: l/, signed([link('l', '..'), file('l/outside')])],
  ['with a name twice', /^path-duplicate: a/, signed([file('a'), file('a')])],
  [
    'with names that differ only in case',
    /^path-case: .*readme.* and .*README/,
    signed([file('README'), file('readme')]),
  ],
  ['of a declared petabyte', /^release-too-large/, signed([file('bomb', { size: 2 ** 50 })])],
])('a release %s is refused by its name before anything is made', async (_, expected, release) => {
  await using work = await temporaryFolder();
  const asked: string[] = [];
  const refused = await refusal(
    fetch({
      release,
      to: join(work.path, 'srv/tree'),
      trust: [parsePublicKey(publicPem)],
      trackers: ['http://127.0.0.1:9/announce'],
      stallMs: 1_000,
      onTrackerProblem: (tracker) => asked.push(tracker),
    }),
  );
  expect(refused).toMatch(expected);
  expect(await readdir(work.path)).toEqual([]);
  expect(asked).toEqual([]);
});

test.each([
  ['nothing', '../nowhere'],
  ['an empty folder', '../empty'],
])('a release for a place that is a link to %s is refused before anything is made', async (_, target) => {
  await using work = await temporaryFolder();
  const parent = join(work.path, 'parent');
  await mkdir(parent);
  await mkdir(join(work.path, 'empty'));
  await symlink(target, join(parent, 'to'));
  const trust = [parsePublicKey(publicPem)];
  const refused = refusal(
    fetch({ release: signed([file('a')]), to: join(parent, 'to'), trust, trackers: [] }),
  );
  expect(await refused).toMatch(/^target-exists/);
  expect(await readdir(parent)).toEqual(['to']);
});

function signedByNobody(): Buffer {
  const nothing = { lengths: [], ids: [] };
  const entries = [file('a')];
  return encodeRelease({
    app: 'shop',
    version: '1',
    entries,
    chunks: nothing,
    pieceLength: 4_096,
    pieces: new Uint8Array(),
  });
}
