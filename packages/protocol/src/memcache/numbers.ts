/** Decimal numbers read from bytes and strings by hand, without strings in between. */
import type { Uint64 } from './requests.ts';

/** Digits of 2^64 - 1. All readers share it: a line must mean the same on the fast path and the general one. */
const DIGITS_MAX = 20;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** The number whose decimal digits are `buffer[start..end)`, up to 2^53 - 1. -1 if that isn't a number or too large. */
export function parseUnsigned(buffer: Buffer, start: number, end: number): number {
  if (end <= start || end - start > DIGITS_MAX) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = buffer[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** The 64-bit number that `text` spells, `undefined` if it spells none. */
export function parseUint64(text: string): Uint64 | undefined {
  if (text.length === 0 || text.length > DIGITS_MAX) return undefined;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return undefined;
  }
  const value = Number(text);
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  const large = BigInt(text);
  return large <= UINT64_MAX ? large : undefined;
}

/** The integer up to ±(2^53 - 1) that `text` spells, `undefined` if it spells none. */
export function parseInteger(text: string): number | undefined {
  const { length } = text;
  const negative = text.charCodeAt(0) === 45;
  const from = negative ? 1 : 0;
  if (length === from || length > from + DIGITS_MAX) return undefined;
  let value = 0;
  for (let at = from; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return undefined;
  return negative ? 0 - value : value;
}

/** Big-endian, unsigned. */
export function readUint32(buffer: Buffer, at: number): number {
  return buffer[at]! * 0x100_0000 + ((buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!);
}

export function readUint64(buffer: Buffer, at: number): Uint64 {
  const high = readUint32(buffer, at);
  const low = readUint32(buffer, at + 4);
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
}
