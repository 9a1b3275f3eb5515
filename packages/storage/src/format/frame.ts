/** Frames: `u32 length | u32 crc | u32 check | body[length]`. See docs/internals/storage.md. */
import { crc32 } from './crc.ts';

export const FRAME_HEADER = 12;

/**
 * Ties a frame to its segment (salt) and to its place in it. A scan that lost its way tries every byte: this makes
 * each try a few nanoseconds, and since the salt comes of the log's secret identity, no payload passes for a frame.
 */
function frameCheck(length: number, crc: number, salt: number, offset: number): number {
  let mix = Math.imul(crc ^ salt, 0x85ebca6b) ^ Math.imul(length ^ (salt >>> 7), 0xc2b2ae35);
  mix ^= mix >>> 15;
  mix = Math.imul(mix ^ offset, 0x2c1b3c6d) ^ salt;
  mix ^= mix >>> 13;
  return Math.imul(mix, 0x297a2d39) >>> 0;
}

/**
 * Completes the frame whose body already stands behind its 12 header bytes at `at`.
 * `offset` is where the frame starts in its segment file.
 */
// hot:
export function sealFrame(
  frames: DataView,
  at: number,
  bodyLength: number,
  salt: number,
  offset: number,
): void {
  const crc = crc32(frames, at + FRAME_HEADER, at + FRAME_HEADER + bodyLength);
  frames.setUint32(at, bodyLength, true);
  frames.setUint32(at + 4, crc, true);
  frames.setUint32(at + 8, frameCheck(bodyLength, crc, salt, offset), true);
}

/**
 * The body's length if a frame header of this segment stands at `at`, otherwise -1.
 * Needs 12 bytes. The body is not looked at.
 */
export function frameLength(frames: DataView, at: number, salt: number, offset: number): number {
  const length = frames.getUint32(at, true);
  if (length === 0) return -1;
  const crc = frames.getUint32(at + 4, true);
  return frames.getUint32(at + 8, true) === frameCheck(length, crc, salt, offset) ? length : -1;
}

/** Whether the body behind a header that `frameLength` accepted is as it was written. */
export function bodyIntact(frames: DataView, at: number, bodyLength: number): boolean {
  const start = at + FRAME_HEADER;
  return crc32(frames, start, start + bodyLength) === frames.getUint32(at + 4, true);
}
