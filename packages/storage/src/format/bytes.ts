/** Integers in bytes, little-endian. 64-bit ones are numbers below 2^53 as u32 low, u32 high: no BigInt on any path. */

const TWO_32 = 4_294_967_296;

// hot: bytes by hand cost half of Buffer's checked methods.
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function putU64(bytes: Uint8Array, at: number, value: number): void {
  // Not `value % TWO_32`: V8 calls a function of C for it.
  const low = value >>> 0;
  putU32(bytes, at, low);
  putU32(bytes, at + 4, (value - low) / TWO_32);
}

export function getU64(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) + getU32(bytes, at + 4) * TWO_32;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Bytes that `putVarint` takes for the value: 7 bits a byte, 8 bytes for 2^53. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Returns the place after it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 128) {
    bytes[next++] = (rest & 127) | 128;
    rest = rest <= 0xffff_ffff ? rest >>> 7 : Math.floor(rest / 128);
  }
  bytes[next++] = rest;
  return next;
}

/** Where a decoder stands. `end` is exclusive; a read past it throws `RangeError`. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

export function takeVarint(cursor: Cursor): number {
  const { bytes, end } = cursor;
  let at = cursor.at;
  let byte = at < end ? bytes[at++]! : 256;
  let value = byte & 127;
  // 8 groups of 7 bits hold 2^53: more is not ours.
  for (let factor = 128; byte >= 128; factor *= 128) {
    if (at >= end || factor > 2 ** 49) throw new RangeError('A number does not end where it should.');
    byte = bytes[at++]!;
    value += (byte & 127) * factor;
  }
  cursor.at = at;
  return value;
}

export function takeU32(cursor: Cursor): number {
  const at = claim(cursor, 4);
  return getU32(cursor.bytes, at);
}

export function takeU64(cursor: Cursor): number {
  const at = claim(cursor, 8);
  return getU64(cursor.bytes, at);
}

/** Claims `length` bytes and returns where they start. */
export function claim(cursor: Cursor, length: number): number {
  const at = cursor.at;
  if (at + length > cursor.end) throw new RangeError('A record ends before its fields do.');
  cursor.at = at + length;
  return at;
}
