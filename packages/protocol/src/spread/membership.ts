/**
 * The body of a regular membership message: the group's id, how many sets there are, where the receiver's own
 * begins (in bytes from the first), and the sets, each a count and so many names.
 *
 * To clients before 4.0: the group's id and the receiver's own set.
 */
import type { Output } from '../bytes/output.ts';
import type { GroupId } from './frames.ts';
import { NAME_FIELD_BYTES, readNames } from './names.ts';
import { type ByteOrder, readInt32, writeInt32 } from './order.ts';

export const GROUP_ID_BYTES = 12;
const SETS_AT = 20;
/** Of a body with one set. */
const SET_AT = 12;
const COUNT_BYTES = 4;

/**
 * The largest body for so many members. Two more sets than members: one for a member that left, and an empty
 * one, which Spread sends for a daemon whose only member is just joining.
 */
export function bodyBytesMax(members: number): number {
  return SETS_AT + (members + 2) * (COUNT_BYTES + NAME_FIELD_BYTES);
}

export function readGroupId(buffer: Buffer, at: number, order: ByteOrder): GroupId {
  return {
    daemon: readInt32(buffer, at, order),
    time: readInt32(buffer, at + 4, order),
    index: readInt32(buffer, at + 8, order),
  };
}

export function writeGroupId(out: Output, id: GroupId, order: ByteOrder): void {
  writeInt32(out, id.daemon, order);
  writeInt32(out, id.time, order);
  writeInt32(out, id.index, order);
}

export interface MembershipBody {
  readonly id: GroupId;
  readonly sets: string[][];
  readonly mine: number;
}

/** `undefined` if the sets don't fill the bytes from `start` to `end`, or the receiver's isn't one of them. */
export function readMembershipBody(
  buffer: Buffer,
  start: number,
  end: number,
  order: ByteOrder,
): MembershipBody | undefined {
  if (end - start < SETS_AT) return undefined;
  const count = readInt32(buffer, start + 12, order) >>> 0;
  const offset = readInt32(buffer, start + 16, order) >>> 0;
  const first = start + SETS_AT;
  const sets: string[][] = [];
  let mine = -1;
  let at = first;
  while (sets.length < count) {
    // Of a count that is cut off, too, the set is larger than what is left.
    const members = readInt32(buffer, at, order) >>> 0;
    if (members * NAME_FIELD_BYTES > end - at - COUNT_BYTES) return undefined;
    if (at - first === offset) mine = sets.length;
    sets.push(readNames(buffer, at + COUNT_BYTES, members));
    at += COUNT_BYTES + members * NAME_FIELD_BYTES;
  }
  return at === end && mine >= 0 ? { id: readGroupId(buffer, start, order), sets, mine } : undefined;
}

/** Bytes of the body with these sets. */
export function membershipBodyBytes(sets: readonly (readonly string[])[]): number {
  let bytes = SETS_AT;
  for (const set of sets) bytes += COUNT_BYTES + set.length * NAME_FIELD_BYTES;
  return bytes;
}

/** `mine` is the index of the receiver's own set. */
export function writeMembershipBody(
  out: Output,
  id: GroupId,
  sets: readonly (readonly string[])[],
  mine: number,
  order: ByteOrder,
): void {
  writeGroupId(out, id, order);
  writeInt32(out, sets.length, order);
  writeInt32(out, membershipBodyBytes(sets.slice(0, mine)) - SETS_AT, order);
  for (const set of sets) writeSet(out, set, order);
}

/** A body of one set; `undefined` if it doesn't fill the bytes from `start` to `end`. */
export function readOneSetBody(
  buffer: Buffer,
  start: number,
  end: number,
  order: ByteOrder,
): MembershipBody | undefined {
  const names = start + SET_AT + COUNT_BYTES;
  if (names > end) return undefined;
  const count = readInt32(buffer, start + SET_AT, order) >>> 0;
  if (names + count * NAME_FIELD_BYTES !== end) return undefined;
  return { id: readGroupId(buffer, start, order), sets: [readNames(buffer, names, count)], mine: 0 };
}

export function oneSetBodyBytes(set: readonly string[]): number {
  return SET_AT + COUNT_BYTES + set.length * NAME_FIELD_BYTES;
}

export function writeOneSetBody(out: Output, id: GroupId, set: readonly string[], order: ByteOrder): void {
  writeGroupId(out, id, order);
  writeSet(out, set, order);
}

function writeSet(out: Output, set: readonly string[], order: ByteOrder): void {
  writeInt32(out, set.length, order);
  for (const member of set) out.padded(member, NAME_FIELD_BYTES);
}
