/** Looking into a record of `encodeRecord` that says where it is kept, without decoding all of it. */
import { getU32, putU64 } from '../bus/bytes.ts';
import { ORIGIN_BYTES, type Origin, takeOrigin } from '../bus/origin.ts';
import { KEPT_BYTES, type Kept, takeKept } from './kept.ts';
import { KEPT, LENGTH_BYTES, ORIGIN, RECORD_HEADER_BYTES } from './records.ts';

const FLAGS_AT = 5;
const GROUPS_AT = 8;
const KEY_BYTES_AT = 9;
const SENDER_BYTES_AT = 10;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Only for records that have it. */
export function keptOf(record: Uint8Array): Kept {
  return takeKept(record, keptAt(record));
}

/** A copy of the record with another place in the log. */
export function renumbered(record: Uint8Array, sequence: number): Uint8Array {
  const copy = new Uint8Array(record);
  putU64(copy, keptAt(copy), sequence);
  return copy;
}

export function originOf(record: Uint8Array): Origin | undefined {
  return (record[FLAGS_AT]! & ORIGIN) === 0 ? undefined : takeOrigin(record, RECORD_HEADER_BYTES);
}

/** Whether the same publisher gave both the same sequence: one message, under two stamps. */
// hot: once per message with a key.
export function isSameOrigin(a: Uint8Array, b: Uint8Array): boolean {
  if ((a[FLAGS_AT]! & b[FLAGS_AT]! & ORIGIN) === 0) return false;
  // The sequence is behind the publisher, and differs most.
  for (let at = RECORD_HEADER_BYTES + ORIGIN_BYTES - 1; at >= RECORD_HEADER_BYTES; at--) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}

/** Bytes of the record that stands at the beginning. */
export function recordBytes(bytes: Uint8Array): number {
  return LENGTH_BYTES + getU32(bytes, 0);
}

/** `key` is empty for none. */
export function keyAndDataOf(record: Uint8Array): { readonly key: string; readonly data: Uint8Array } {
  let at = keptAt(record) + KEPT_BYTES + record[SENDER_BYTES_AT]!;
  for (let left = record[GROUPS_AT]!; left > 0; left--) at += 1 + record[at]!;
  const end = at + record[KEY_BYTES_AT]!;
  return { key: end === at ? '' : decoder.decode(record.subarray(at, end)), data: record.subarray(end) };
}

/** Whether it is a record with a place, as far as its head tells. */
export function isKeptRecord(record: Uint8Array): boolean {
  return record.length >= RECORD_HEADER_BYTES + KEPT_BYTES && (record[FLAGS_AT]! & KEPT) !== 0;
}

function keptAt(record: Uint8Array): number {
  return RECORD_HEADER_BYTES + ((record[FLAGS_AT]! & ORIGIN) === 0 ? 0 : ORIGIN_BYTES);
}
