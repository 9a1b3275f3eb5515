/** The first 128 bytes of a segment: the header of 64 bytes, twice, so that no single damage hides whose file it is. */
import { crc32 } from 'node:zlib';
import { getU32, getU64, putU32, putU64 } from './bytes.ts';

export const SEGMENT_HEADER = 128;
export const IDENTITY_BYTES = 16;
const COPY = 64;
const VERSION = 1;
const MAGIC: Uint8Array = Buffer.from('ROOKLOG\n', 'latin1');

export interface SegmentHeader {
  /** Of the log: 16 secret random bytes. */
  readonly identity: Uint8Array;
  readonly number: number;
  /** For people; nothing depends on it. */
  readonly createdMs: number;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER);
  bytes.set(MAGIC, 0);
  putU32(bytes, 8, VERSION);
  bytes.set(header.identity, 16);
  putU64(bytes, 32, header.number);
  putU64(bytes, 40, header.createdMs);
  putU32(bytes, 12, headerCrc(bytes, 0));
  bytes.copyWithin(COPY, 0, COPY);
  return bytes;
}

/** What stands in the header; `damaged` when neither copy is whole; `version` when a newer log wrote it. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | 'damaged' | 'version' {
  let newer = false;
  for (const at of [0, COPY]) {
    if (bytes.length < at + COPY) break;
    const intact =
      MAGIC.every((byte, index) => bytes[at + index] === byte) &&
      headerCrc(bytes, at) === getU32(bytes, at + 12);
    if (!intact) continue;
    if (getU32(bytes, at + 8) === VERSION) {
      return {
        identity: new Uint8Array(bytes.subarray(at + 16, at + 16 + IDENTITY_BYTES)),
        number: getU64(bytes, at + 32),
        createdMs: getU64(bytes, at + 40),
      };
    }
    newer = true;
  }
  return newer ? 'version' : 'damaged';
}

/** Of all but itself: a bit that flipped in the version must not pass for a newer one. */
function headerCrc(bytes: Uint8Array, at: number): number {
  return crc32(bytes.subarray(at + 16, at + COPY), crc32(bytes.subarray(at, at + 12)));
}

/** What ties the frames of a segment to it. */
export function segmentSalt(identity: Uint8Array, number: number): number {
  const bytes = Buffer.alloc(IDENTITY_BYTES + 8);
  bytes.set(identity, 0);
  putU64(bytes, IDENTITY_BYTES, number);
  return crc32(bytes);
}
