import { createHash } from 'node:crypto';
import { Random } from '@rookery/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BuiltContent, ContentBuilder } from '../../src/release/builder.ts';
import { chunkEnd } from '../../src/release/chunker.ts';
import { createLayout } from '../../src/release/layout.ts';
import { pathFromText } from '../../src/release/path.ts';
import { pieceLengthFor } from '../../src/release/pieces.ts';

const KIB = 1024;

function build(files: readonly Uint8Array[], pieceLength: number, blockBytes = 1_000_000): BuiltContent {
  const builder = new ContentBuilder(pieceLength);
  files.forEach((content, i) => {
    builder.begin({ path: pathFromText(`f${String(i).padStart(4, '0')}`), executable: false });
    for (let at = 0; at < content.length; at += blockBytes)
      builder.bytes(content.subarray(at, at + blockBytes));
    builder.end();
  });
  return builder.finish();
}

const files = fc
  .array(
    fc.record({
      seed: fc.nat(5),
      bytes: fc.oneof(fc.nat(3_000), fc.nat(400 * KIB)),
      letter: fc.option(fc.nat(3)),
    }),
    { maxLength: 6 },
  )
  .map((plans) =>
    plans.map(({ seed, bytes, letter }) =>
      letter === null ? new Random(seed).bytes(bytes) : Buffer.alloc(bytes, letter),
    ),
  );

test('chunks, pieces and hashes are the same however the bytes come in', () => {
  fc.assert(
    fc.property(files, fc.integer({ min: 1, max: 200_000 }), (contents, block) => {
      expect(build(contents, 16 * KIB, Math.max(block, 500))).toEqual(build(contents, 16 * KIB));
    }),
    { numRuns: 30 },
  );
});

test("pieces and places cover the payload and every file's every byte, once", () => {
  fc.assert(
    fc.property(files, (contents) => {
      const { files: entries, chunks, pieces } = build(contents, 16 * KIB);
      const layout = createLayout({ app: 'a', version: '1', entries, chunks, pieces, pieceLength: 16 * KIB });
      const written = contents.map((content) => Buffer.alloc(content.length));
      const times = contents.map((content) => new Uint8Array(content.length));
      const index = new Map(entries.map((entry, i) => [entry.path as string, i]));
      const source = (chunk: number): Uint8Array => {
        const { file, offset } = layout.places(chunk)[0]!;
        return contents[index.get(file.path)!]!.subarray(offset, offset + chunks.lengths[chunk]!);
      };
      let payload = 0;
      for (let piece = 0; piece < layout.pieceCount; piece++) {
        const bytes = Buffer.alloc(layout.pieceBytes(piece));
        let at = 0;
        for (const { chunk, chunkOffset, pieceOffset, length } of layout.segments(piece)) {
          expect(pieceOffset).toBe(at);
          at += length;
          bytes.set(source(chunk).subarray(chunkOffset, chunkOffset + length), pieceOffset);
          const { first, last } = layout.piecesOf(chunk);
          expect(first <= piece && piece <= last).toBe(true);
        }
        expect(at).toBe(bytes.length);
        expect(createHash('sha1').update(bytes).digest().equals(layout.pieceHash(piece))).toBe(true);
        payload += bytes.length;
        for (const { chunk, chunkOffset, pieceOffset, length } of layout.segments(piece)) {
          for (const { file, offset } of layout.places(chunk)) {
            const number = index.get(file.path)!;
            bytes.copy(written[number]!, offset + chunkOffset, pieceOffset, pieceOffset + length);
            for (let i = 0; i < length; i++) times[number]![offset + chunkOffset + i]!++;
          }
        }
      }
      expect(payload).toBe(layout.payloadBytes);
      contents.forEach((content, i) => {
        expect(written[i]!.equals(content)).toBe(true);
        expect(times[i]!.every((count) => count === 1)).toBe(true);
        expect(createHash('sha256').update(content).digest().equals(entries[i]!.sha256)).toBe(true);
      });
    }),
    { numRuns: 40 },
  );
});

test('chunk lengths keep to their bounds and gather around 32 KiB', () => {
  const bytes = new Random(11).bytes(8 * KIB * KIB);
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = chunkEnd(bytes, at, bytes.length);
    lengths.push(end - at);
    at = end;
  }
  const inner = lengths.slice(0, -1);
  expect(Math.min(...inner)).toBeGreaterThan(8 * KIB);
  expect(Math.max(...inner)).toBeLessThanOrEqual(128 * KIB);
  expect(bytes.length / lengths.length).toBeGreaterThan(28 * KIB);
  expect(bytes.length / lengths.length).toBeLessThan(44 * KIB);
});

test('where a chunk ends is part of the format, and stays', () => {
  const bytes = Buffer.alloc(1_000_000);
  for (let i = 0, x = 1; i < bytes.length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 24;
  }
  const ends: number[] = [];
  for (let at = 0; at < 300_000; at = ends.at(-1)!) ends.push(chunkEnd(bytes, at, bytes.length));
  expect(ends).toMatchInlineSnapshot(`
    [
      37119,
      76112,
      123896,
      163319,
      213167,
      247196,
      281256,
      315287,
    ]
  `);
});

test('files that are copies of others add nothing to the payload', () => {
  const content = new Random(12).bytes(500_000);
  const once = build([content], 16 * KIB);
  const thrice = build([content, content, content], 16 * KIB);
  expect(thrice.chunks).toEqual(once.chunks);
  expect(thrice.pieces).toEqual(once.pieces);
});

test.each([
  [0, 4],
  [1, 4],
  [4 * KIB * KIB, 4],
  [4 * KIB * KIB + 1, 8],
  [16 * KIB * KIB, 16],
  [16 * KIB * KIB + 1, 32],
  [20 * KIB * KIB, 32],
  [100 * KIB * KIB, 128],
  [256 * KIB * KIB, 256],
  [1024 * KIB * KIB, 1024],
  [10 * 1024 * KIB * KIB, 16 * 1024],
])('a tree of %i bytes has pieces of %i KiB', (bytes, kib) => {
  expect(pieceLengthFor(bytes)).toBe(kib * KIB);
});
