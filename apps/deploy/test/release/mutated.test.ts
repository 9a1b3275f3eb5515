import { Random } from '@rookery/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReleaseError } from '../../src/errors.ts';
import { encodeBody } from '../../src/release/body.ts';
import { encodeRelease, inspectRelease, openRelease } from '../../src/release/container.ts';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from '../../src/release/limits.ts';
import type { Manifest } from '../../src/release/manifest.ts';
import type { BytePath } from '../../src/release/path.ts';
import { isPlain, manifest } from './arbitrary.ts';

/** Tight, so that a mutation can reach each of them. */
const LIMITS: ReleaseLimits = {
  ...RELEASE_LIMITS,
  releaseBytes: 1024 * 1024,
  entries: 200,
  pathBytesTotal: 5_000,
  treeBytes: 4 * 1024 * 1024,
  chunks: 500,
  linkSteps: 5_000,
};

const MUTATIONS = Number(process.env.ROOKERY_TEST_MUTATIONS ?? 100_000);

test(`${MUTATIONS} altered releases give nothing but the closed set of errors, or a manifest within the limits`, {
  timeout: 120_000,
}, () => {
  const { privatePem, publicPem } = generateKeys();
  const trust = [parsePublicKey(publicPem)];
  const random = new Random(20_261_122);
  const manifests = fc.sample(manifest.filter(isPlain), { numRuns: 40, seed: 1 });
  const bodies = manifests.map(encodeBody);
  const signed = fc
    .sample(manifest.filter(isPlain), { numRuns: 5, seed: 2 })
    .map((one) => encodeRelease(one, parseSigningKey(privatePem)));
  const codes: Record<string, number> = {};
  const attempt = (read: () => Manifest): void => {
    try {
      expectWithin(read());
      codes.read = (codes.read ?? 0) + 1;
    } catch (error) {
      if (!(error instanceof ReleaseError)) throw error;
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    }
  };
  for (let i = 0; i < MUTATIONS; i++) {
    // Mostly the parser, behind the signature; now and then a whole file, whose signature then is wrong.
    if (i % 20 > 4) attempt(() => readUnsigned(mutate(random, random.pick(bodies), bodies)));
    else if (i % 20 > 0) attempt(() => readUnsigned(encodeBody(misname(random, random.pick(manifests)))));
    else {
      const file = mutate(random, random.pick(signed), bodies);
      attempt(() => openRelease(file, trust, LIMITS).manifest);
      attempt(() => inspectRelease(file, LIMITS).manifest);
    }
  }
  // That it was no matter of one early refusal for all.
  for (const code of EXPECTED) expect(codes[code] ?? 0, code).toBeGreaterThan(20);
});

const EXPECTED = [
  'read',
  'not-a-release',
  'release-damaged',
  'release-too-large',
  'signature-wrong',
  'key-untrusted',
  'path-duplicate',
  'path-invalid',
  'path-absolute',
  'path-escapes',
  'path-case',
  'path-conflict',
  'link-escapes',
];

/** A manifest that is whole, but says what none may say. */
function misname(random: Random, original: Manifest): Manifest {
  const entries = original.entries.map((entry) => ({ ...entry }));
  const entry = entries[random.below(Math.max(1, entries.length))];
  if (entry === undefined) return original;
  const other = random.pick(entries).path;
  const hostile = [
    '../x',
    '/etc/x',
    '..',
    '.',
    '',
    'a//b',
    'a/../../b',
    'x\0',
    other,
    other.toUpperCase(),
    `${other}/x`,
  ];
  const name = random.pick(hostile) as BytePath;
  if (entry.kind === 'link' && random.chance(0.5))
    Object.assign(entry, { target: random.chance(0.5) ? name : `../${name}` });
  else Object.assign(entry, { path: name });
  return { ...original, entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Through everything but the signature, which would hold off all of them. */
function readUnsigned(body: Buffer): Manifest {
  const header = Buffer.alloc(112);
  header.write('ROOKREL\n\x01', 'latin1');
  header.writeUIntLE(body.length, 10, 6);
  return inspectRelease(Buffer.concat([header, body]), LIMITS).manifest;
}

function mutate(random: Random, original: Buffer, others: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(original);
  for (let changes = random.between(1, 3); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length);
    switch (random.below(6)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
        break;
      case 2:
        bytes = Buffer.from(bytes.subarray(0, at));
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          random.bytes(random.between(1, 9)),
          bytes.subarray(at),
        ]);
        break;
      case 4:
        bytes.fill(0xff, at, Math.min(bytes.length, at + random.between(1, 9)));
        break;
      default: {
        const other = random.pick(others);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))]);
      }
    }
  }
  return bytes;
}

function expectWithin(read: Manifest): void {
  let tree = 0;
  let paths = 0;
  let chunks = 0;
  for (const entry of read.entries) {
    paths += entry.path.length;
    if (entry.kind === 'file') {
      tree += entry.size;
      chunks += entry.chunks.length;
    }
  }
  const within =
    read.entries.length <= LIMITS.entries &&
    tree <= LIMITS.treeBytes &&
    paths <= LIMITS.pathBytesTotal &&
    chunks <= LIMITS.chunks;
  if (!within) throw new Error('The limits did not hold.');
}
