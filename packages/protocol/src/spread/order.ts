/** Numbers in the byte order of whoever sent them. */
import type { Output } from '../bytes/output.ts';

export type ByteOrder = 'little' | 'big';

/** Signed, 32 bits. */
export function readInt32(buffer: Buffer, at: number, order: ByteOrder): number {
  return order === 'little'
    ? buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)
    : (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}

/** 32 bits, signed or not. */
export function writeInt32(out: Output, value: number, order: ByteOrder): void {
  if (order === 'little') out.uint32le(value);
  else out.uint32(value);
}

/**
 * The order of a word that carries it: bit 7 of its first and of its last byte, both set or both clear,
 * whichever end is first. `undefined` if only one is set.
 */
export function orderOf(buffer: Buffer, at: number): ByteOrder | undefined {
  const bits = (buffer[at]! & 0x80) | ((buffer[at + 3]! & 0x80) >> 1);
  return bits === 0xc0 ? 'little' : bits === 0 ? 'big' : undefined;
}
