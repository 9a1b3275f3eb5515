import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBody, encodeBody } from '../../src/release/body.ts';
import { RELEASE_LIMITS } from '../../src/release/limits.ts';
import { ByteReader, ByteWriter } from '../../src/release/wire.ts';
import { refusal } from '../support.ts';
import { manifest } from './arbitrary.ts';

test('what is written of a manifest is read back the same, and written the same again', () => {
  fc.assert(
    fc.property(manifest, (one) => {
      const body = encodeBody(one);
      const read = decodeBody(body);
      expect(read).toEqual({ ...one, pieces: Buffer.from(one.pieces) });
      expect(encodeBody(read).equals(body)).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test('a body that is cut off anywhere, or goes on after its end, is refused', () => {
  fc.assert(
    fc.property(manifest, fc.nat(), (one, cut) => {
      const body = encodeBody(one);
      expect(() => decodeBody(body.subarray(0, cut % body.length))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^release-(damaged|too-large)$/) }),
      );
      expect(() => decodeBody(Buffer.concat([body, Buffer.of(0)]))).toThrow(/something follows/);
    }),
    { numRuns: 50 },
  );
});

test('every number up to 2^53 - 1 survives the wire, and none beyond is taken', async () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const out = new ByteWriter();
      out.varint(value);
      expect(new ByteReader(out.finish()).varint()).toBe(value);
    }),
  );
  expect(await refusal(() => new ByteReader(Buffer.from('ffffffffffffff7f', 'hex')).varint())).toMatch(
    /^release-damaged/,
  );
  expect(await refusal(() => new ByteReader(Buffer.alloc(20, 0xff)).varint())).toMatch(/^release-damaged/);
});

/** A body up to its entries; what follows is written by the test. */
function forge(entryCount: number, write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter();
  out.varint(1);
  out.latin1('a');
  out.varint(1);
  out.latin1('1');
  out.varint(0);
  out.varint(0);
  out.byte(14);
  out.varint(entryCount);
  write(out);
  return out.finish();
}

function forgeFile(out: ByteWriter, size: number, write: () => void = () => undefined): void {
  out.varint(0);
  out.varint(1);
  out.latin1('f');
  out.byte(0);
  out.varint(size);
  out.raw(Buffer.alloc(32));
  write();
}

const limits = {
  ...RELEASE_LIMITS,
  entries: 10,
  treeBytes: 1_000_000,
  chunks: 20,
  pathBytesTotal: 1_000,
  targetBytes: 50,
};

test.each<[string, RegExp, Buffer]>([
  ['more entries than allowed', /^release-too-large: .*entries/, forge(1_000_000_000, () => undefined)],
  [
    'a file larger than allowed',
    /^release-too-large: .*bytes of files/,
    forge(1, (out) => forgeFile(out, 2 ** 50)),
  ],
  [
    'files that together are larger than allowed',
    /^release-too-large: .*bytes of files/,
    forge(10, (out) => {
      for (let i = 0; i < 10; i++) forgeFile(out, 120_000, () => out.varint(0));
    }),
  ],
  [
    'a run of chunks that unfolds into more than allowed',
    /^release-too-large: .*chunks/,
    forge(1, (out) =>
      forgeFile(out, 900_000, () => {
        out.varint(1 * 2);
        out.varint(1);
        out.latin1('12345678');
        for (let i = 0; i < 30; i++) {
          out.varint(1 * 2 + 1);
          out.varint(0);
        }
      }),
    ),
  ],
  [
    'paths that unfold out of what they share',
    /^release-too-large: .*paths/,
    forge(10, (out) => {
      out.varint(0);
      out.varint(200);
      out.latin1('a'.repeat(200));
      out.byte(3);
      for (let i = 0; i < 9; i++) {
        out.varint(200);
        out.varint(0);
        out.byte(3);
      }
    }),
  ],
  [
    'a path that continues more than was there',
    /^release-damaged/,
    forge(1, (out) => {
      out.varint(5);
      out.varint(1);
    }),
  ],
  [
    'a path that is too long',
    /^path-invalid: A path is longer/,
    forge(1, (out) => {
      out.varint(0);
      out.varint(1_000_000);
    }),
  ],
  [
    "a link's target longer than allowed",
    /^release-too-large: .*target/,
    forge(1, (out) => {
      out.varint(0);
      out.varint(1);
      out.latin1('l');
      out.byte(2);
      out.varint(51);
    }),
  ],
  [
    'a chunk longer than a chunk can be',
    /^release-damaged/,
    forge(1, (out) => forgeFile(out, 200_000, () => out.varint(0))),
  ],
  [
    'chunks that are more than the file',
    /^release-damaged: .*more bytes/,
    forge(1, (out) =>
      forgeFile(out, 10, () => {
        out.varint(1 * 2);
        out.varint(11);
        out.latin1('12345678');
      }),
    ),
  ],
  [
    'a chunk that nobody told of',
    /^release-damaged: .*repeats/,
    forge(1, (out) =>
      forgeFile(out, 10, () => {
        out.varint(1 * 2 + 1);
        out.varint(0);
      }),
    ),
  ],
  ['a run of no chunks', /^release-damaged/, forge(1, (out) => forgeFile(out, 10, () => out.varint(1)))],
  [
    'a kind that is none',
    /^release-damaged: .*no known kind/,
    forge(1, (out) => {
      out.varint(0);
      out.varint(1);
      out.latin1('l');
      out.byte(9);
    }),
  ],
])('%s: refused', async (_, expected, body) => {
  expect(await refusal(() => decodeBody(body, limits))).toMatch(expected);
});
