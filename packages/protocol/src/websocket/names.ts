/** Names between bytes and strings. They are few and come again and again, so each is made and checked once. */
import { isDestination } from '../spread/names.ts';

/** Slots of the table: a power of two; more names than this at once are made anew each time, and that is all. */
const SLOTS = 4096;
const table: string[] = new Array<string>(SLOTS).fill('');

/** The group or session in `bytes` from `from` up to `to`, `undefined` if it is no name. */
// hot: once per group and once per sender of each record.
export function readName(bytes: Uint8Array, from: number, to: number): string | undefined {
  let hash = to - from;
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const known = table[slot]!;
  if (known.length === to - from && isAt(bytes, from, known)) return known;
  const name = String.fromCharCode(...bytes.subarray(from, to));
  if (!isDestination(name)) return undefined;
  table[slot] = name;
  return name;
}

function isAt(bytes: Uint8Array, from: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name.charCodeAt(at)) return false;
  return name !== '';
}

/** Writes an ASCII name and gives where it ends. */
export function writeName(bytes: Uint8Array, at: number, name: string): number {
  for (let index = 0; index < name.length; index++) bytes[at + index] = name.charCodeAt(index);
  return at + name.length;
}
