/**
 * The footer of a sealed segment: index blocks, then a directory of them, then a trailer of 24 bytes.
 * A part holds the messages of one stream and one kind, with sequences and offsets that only grow; its index is cut
 * into blocks so that neither reading nor writing one takes long.
 */
import { crc32 } from 'node:zlib';
import { type Cursor, getU32, getU64, putU32, putU64, putVarint, takeU32, takeVarint } from './bytes.ts';

/** Messages per index block: some 130 KiB of index at most, decoded in a millisecond. */
export const BLOCK_RECORDS = 16_384;
export const TRAILER = 24;
/** Of a sequence, which is below 2^53. */
const VARINT_MAX_BYTES = 8;
const TRAILER_MAGIC: Uint8Array = Buffer.from('ROOKEND\n', 'latin1');

/** Where messages lie: parallel lists, in the order of their sequences (which is that of their offsets). */
export interface RecordIndex {
  readonly count: number;
  readonly sequences: { readonly [index: number]: number };
  readonly offsets: { readonly [index: number]: number };
  /** Of the payloads. */
  readonly sizes: { readonly [index: number]: number };
}

export interface BlockSummary {
  readonly count: number;
  /** Whole frames. */
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** Where the block lies in the file. */
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

export interface PartSummary {
  readonly stream: number;
  readonly kind: number;
  readonly source: number;
  readonly attempt: number;
  readonly blocks: readonly BlockSummary[];
}

/** Records `[from, to)` as varints of what differs from the record before; `overhead` is frame bytes beside the payload. */
export function encodeBlock(index: RecordIndex, from: number, to: number, overhead: number): Buffer {
  const { sequences, offsets, sizes } = index;
  const room = Buffer.allocUnsafeSlow((to - from) * 3 * VARINT_MAX_BYTES);
  let next = 0;
  let sequence = 0;
  let end = 0;
  for (let at = from; at < to; at++) {
    next = putVarint(room, next, sequences[at]! - sequence);
    next = putVarint(room, next, offsets[at]! - end);
    next = putVarint(room, next, sizes[at]!);
    sequence = sequences[at]! + 1;
    end = offsets[at]! + overhead + sizes[at]!;
  }
  const bytes = Buffer.allocUnsafeSlow(next);
  room.copy(bytes, 0, 0, next);
  return bytes;
}

/** `undefined` if the bytes are not what was written. */
export function decodeBlock(
  bytes: Uint8Array,
  block: BlockSummary,
  overhead: number,
): RecordIndex | undefined {
  if (bytes.length !== block.length || crc32(bytes) !== block.crc) return undefined;
  const sequences = new Float64Array(block.count);
  const offsets = new Uint32Array(block.count);
  const sizes = new Uint32Array(block.count);
  const cursor: Cursor = { bytes, at: 0, end: bytes.length };
  let sequence = 0;
  let end = 0;
  for (let index = 0; index < block.count; index++) {
    sequence += takeVarint(cursor);
    sequences[index] = sequence++;
    end += takeVarint(cursor);
    offsets[index] = end;
    const size = takeVarint(cursor);
    sizes[index] = size;
    end += overhead + size;
  }
  return { count: block.count, sequences, offsets, sizes };
}

export function encodeDirectory(parts: readonly PartSummary[]): Buffer {
  let length = 4;
  for (const part of parts) length += 17 + part.blocks.length * 40;
  const bytes = Buffer.allocUnsafeSlow(length);
  putU32(bytes, 0, parts.length);
  let at = 4;
  for (const part of parts) {
    putU32(bytes, at, part.stream);
    bytes[at + 4] = part.kind;
    putU32(bytes, at + 5, part.source);
    putU32(bytes, at + 9, part.attempt);
    putU32(bytes, at + 13, part.blocks.length);
    at += 17;
    for (const block of part.blocks) {
      putU32(bytes, at, block.count);
      putU64(bytes, at + 4, block.bytes);
      putU64(bytes, at + 12, block.first);
      putU64(bytes, at + 20, block.last);
      putU32(bytes, at + 28, block.offset);
      putU32(bytes, at + 32, block.length);
      putU32(bytes, at + 36, block.crc);
      at += 40;
    }
  }
  return bytes;
}

/** Throws `RangeError` on nonsense; the caller has checked the CRC. */
export function decodeDirectory(bytes: Uint8Array): PartSummary[] {
  const cursor: Cursor = { bytes, at: 0, end: bytes.length };
  const parts: PartSummary[] = [];
  for (let left = takeU32(cursor); left > 0; left--) {
    if (cursor.at + 17 > bytes.length) throw new RangeError('The directory ends before its parts do.');
    const at = cursor.at;
    const blockCount = getU32(bytes, at + 13);
    cursor.at += 17 + blockCount * 40;
    if (cursor.at > bytes.length) throw new RangeError('The directory ends before its blocks do.');
    const blocks: BlockSummary[] = [];
    for (let index = 0; index < blockCount; index++) {
      const block = at + 17 + index * 40;
      blocks.push({
        count: getU32(bytes, block),
        bytes: getU64(bytes, block + 4),
        first: getU64(bytes, block + 12),
        last: getU64(bytes, block + 20),
        offset: getU32(bytes, block + 28),
        length: getU32(bytes, block + 32),
        crc: getU32(bytes, block + 36),
      });
    }
    parts.push({
      stream: getU32(bytes, at),
      kind: bytes[at + 4]!,
      source: getU32(bytes, at + 5),
      attempt: getU32(bytes, at + 9),
      blocks,
    });
  }
  return parts;
}

export interface Trailer {
  /** Where the last frame of the segment ends. */
  readonly dataEnd: number;
  readonly directoryLength: number;
  readonly directoryCrc: number;
}

export function encodeTrailer(trailer: Trailer, salt: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(TRAILER);
  putU32(bytes, 0, trailer.dataEnd);
  putU32(bytes, 4, trailer.directoryLength);
  putU32(bytes, 8, trailer.directoryCrc);
  putU32(bytes, 12, (crc32(bytes.subarray(0, 12)) ^ salt) >>> 0);
  bytes.set(TRAILER_MAGIC, 16);
  return bytes;
}

/** `undefined`: this file does not end in a trailer. */
export function decodeTrailer(bytes: Uint8Array, salt: number): Trailer | undefined {
  if (bytes.length !== TRAILER || !TRAILER_MAGIC.every((byte, index) => bytes[16 + index] === byte)) {
    return undefined;
  }
  if (getU32(bytes, 12) !== (crc32(bytes.subarray(0, 12)) ^ salt) >>> 0) return undefined;
  return {
    dataEnd: getU32(bytes, 0),
    directoryLength: getU32(bytes, 4),
    directoryCrc: getU32(bytes, 8),
  };
}
