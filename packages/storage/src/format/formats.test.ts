import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RangeSet } from '../log/ranges.ts';
import { type Cursor, getU64, putU64, putVarint, takeVarint, varintBytes, viewOf } from './bytes.ts';
import {
  type BlockSummary,
  decodeBlock,
  decodeDirectory,
  decodeTrailer,
  encodeBlock,
  encodeDirectory,
  encodeTrailer,
} from './footer.ts';
import { bodyIntact, FRAME_HEADER, frameLength, sealFrame } from './frame.ts';
import { decodeHeader, encodeHeader, SEGMENT_HEADER, segmentSalt } from './header.ts';
import {
  acknowledgedBytes,
  putAcknowledged,
  putStream,
  streamBytes,
  takeAcknowledged,
  takeStream,
} from './records.ts';

const u32 = fc.nat(0xffff_ffff);
const sequence = fc.integer({ min: 1, max: 2 ** 52 });

function rangesOf(numbers: readonly number[]): RangeSet {
  const ranges = new RangeSet();
  for (const number of numbers) ranges.add(number);
  return ranges;
}

function listed(ranges: RangeSet): [number, number][] {
  return Array.from({ length: ranges.length }, (_, at) => [ranges.first(at), ranges.last(at)]);
}

describe('numbers', () => {
  test('come back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = Buffer.alloc(16);
        putU64(bytes, 3, value);
        expect(getU64(bytes, 3)).toBe(value);
        const end = putVarint(bytes, 1, value);
        expect(end - 1).toBe(varintBytes(value));
        const cursor: Cursor = { bytes, at: 1, end };
        expect(takeVarint(cursor)).toBe(value);
        expect(cursor.at).toBe(end);
      }),
    );
  });

  test('a varint that never ends is refused', () => {
    const cursor: Cursor = { bytes: Buffer.alloc(20, 0xff), at: 0, end: 20 };
    expect(() => takeVarint(cursor)).toThrow(RangeError);
    expect(() => takeVarint({ bytes: Buffer.alloc(2, 0xff), at: 0, end: 2 })).toThrow(RangeError);
  });
});

describe('frames', () => {
  test('each flipped bit is found, wherever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), u32, u32, (body, salt, offset) => {
        const frame = Buffer.alloc(FRAME_HEADER + body.length);
        frame.set(body, FRAME_HEADER);
        sealFrame(viewOf(frame), 0, body.length, salt, offset);
        const intact = (): boolean => {
          const length = frameLength(viewOf(frame), 0, salt, offset);
          return length === body.length && bodyIntact(viewOf(frame), 0, length);
        };
        expect(intact()).toBe(true);
        for (let bit = 0; bit < frame.length * 8; bit++) {
          frame[bit >> 3]! ^= 1 << (bit & 7);
          expect(intact()).toBe(false);
          frame[bit >> 3]! ^= 1 << (bit & 7);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('belong to one segment and one place in it', () => {
    const frame = Buffer.alloc(FRAME_HEADER + 5);
    sealFrame(viewOf(frame), 0, 5, 7, 128);
    expect(frameLength(viewOf(frame), 0, 7, 128)).toBe(5);
    expect(frameLength(viewOf(frame), 0, 8, 128)).toBe(-1);
    expect(frameLength(viewOf(frame), 0, 7, 129)).toBe(-1);
    expect(frameLength(viewOf(Buffer.alloc(FRAME_HEADER)), 0, 7, 128)).toBe(-1);
  });
});

describe('segment header', () => {
  const identity = Buffer.from('0123456789abcdef');
  const bytes = encodeHeader({ identity, number: 9, createdMs: 1_700_000_000_000 });

  test('survives damage to any one of its bytes', () => {
    for (let at = 0; at < SEGMENT_HEADER; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x10;
      expect(decodeHeader(damaged)).toMatchObject({ number: 9, createdMs: 1_700_000_000_000 });
    }
    expect(decodeHeader(Buffer.alloc(SEGMENT_HEADER))).toBe('damaged');
    expect(decodeHeader(Buffer.alloc(3))).toBe('damaged');
  });

  test('salts differ by log and by segment', () => {
    const salts = [segmentSalt(identity, 1), segmentSalt(identity, 2), segmentSalt(Buffer.alloc(16), 1)];
    expect(new Set(salts).size).toBe(3);
  });
});

describe('records', () => {
  test('acknowledgements come back, whole and in pieces', () => {
    fc.assert(
      fc.property(
        fc.array(sequence, { minLength: 1, maxLength: 200 }),
        u32,
        fc.nat(50),
        (all, stream, cut) => {
          const ranges = rangesOf(all);
          const from = Math.min(cut, ranges.length);
          const length = acknowledgedBytes(ranges, from, ranges.length);
          const bytes = Buffer.alloc(length);
          putAcknowledged(bytes, 0, stream, ranges, from, ranges.length);
          const got: [number, number][] = [];
          const cursor: Cursor = { bytes, at: 1, end: length };
          takeAcknowledged(cursor, (id, first, last) => {
            expect(id).toBe(stream);
            got.push([first, last]);
          });
          expect(got).toEqual(listed(ranges).slice(from));
          expect(cursor.at).toBe(length);
        },
      ),
    );
  });

  test('streams come back', () => {
    const bytesOf = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(
        u32,
        sequence,
        bytesOf,
        bytesOf,
        fc.array(sequence),
        (stream, next, name, attributes, all) => {
          const ranges = rangesOf(all);
          const record = { stream, nextSequence: next, name, attributes };
          const length = streamBytes(record, ranges, ranges.length);
          const bytes = Buffer.alloc(length);
          putStream(bytes, 0, record, ranges, ranges.length);
          const got: [number, number][] = [];
          const back = takeStream({ bytes, at: 1, end: length }, (_stream, first, last) =>
            got.push([first, last]),
          );
          expect(back).toEqual({
            ...record,
            name: Uint8Array.from(name),
            attributes: Uint8Array.from(attributes),
          });
          expect(got).toEqual(listed(ranges));
        },
      ),
    );
  });

  test('nonsense is refused, never read beyond its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const take of [takeStream, takeAcknowledged]) {
          const cursor: Cursor = { bytes, at: 0, end: bytes.length };
          try {
            let ranges = 0;
            take(cursor, () => {
              if (++ranges > bytes.length) throw new RangeError('more ranges than bytes');
            });
            expect(cursor.at).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
    );
  });
});

describe('footer', () => {
  const messages = fc.array(fc.record({ skip: fc.nat(3000), gap: fc.nat(70_000), size: fc.nat(5000) }), {
    minLength: 1,
    maxLength: 300,
  });

  test('index blocks come back; each flipped bit is found', () => {
    fc.assert(
      fc.property(messages, fc.constantFrom(25, 33, 37), (list, overhead) => {
        const index = {
          count: list.length,
          sequences: [] as number[],
          offsets: [] as number[],
          sizes: [] as number[],
        };
        let last = 0;
        let end = SEGMENT_HEADER;
        for (const { skip, gap, size } of list) {
          last += 1 + skip;
          index.sequences.push(last);
          index.offsets.push(end + gap);
          index.sizes.push(size);
          end += gap + overhead + size;
        }
        const bytes = encodeBlock(index, 0, list.length, overhead);
        const summary: BlockSummary = {
          count: list.length,
          bytes: 0,
          first: index.sequences[0]!,
          last,
          offset: 0,
          length: bytes.length,
          crc: crc32(bytes),
        };
        const back = decodeBlock(bytes, summary, overhead)!;
        expect(Array.from(back.sequences as Float64Array)).toEqual(index.sequences);
        expect(Array.from(back.offsets as Uint32Array)).toEqual(index.offsets);
        expect(Array.from(back.sizes as Uint32Array)).toEqual(index.sizes);
        bytes[bytes.length >> 1]! ^= 4;
        expect(decodeBlock(bytes, summary, overhead)).toBeUndefined();
        expect(decodeBlock(bytes.subarray(1), summary, overhead)).toBeUndefined();
      }),
    );
  });

  test('the directory comes back, and is refused when it is cut', () => {
    const block = fc.record({
      count: u32,
      bytes: sequence,
      first: sequence,
      last: sequence,
      offset: u32,
      length: u32,
      crc: u32,
    });
    const part = fc.record({
      stream: u32,
      kind: fc.constantFrom(1, 2, 3),
      source: u32,
      attempt: u32,
      blocks: fc.array(block, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const bytes = encodeDirectory(parts);
        expect(decodeDirectory(bytes)).toEqual(parts);
        if (parts.length > 0) expect(() => decodeDirectory(bytes.subarray(0, -1))).toThrow(RangeError);
      }),
    );
  });

  test('the trailer belongs to its segment; each flipped bit is found', () => {
    const trailer = { dataEnd: 1000, directoryLength: 64, directoryCrc: 5 };
    const bytes = encodeTrailer(trailer, 77);
    expect(decodeTrailer(bytes, 77)).toEqual(trailer);
    expect(decodeTrailer(bytes, 78)).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeTrailer(damaged, 77)).toBeUndefined();
    }
  });
});
