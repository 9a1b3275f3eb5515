/** The bodies of frames. Pure; each encoder returns the body's length, each decoder throws `RangeError` on nonsense. */
import {
  type Cursor,
  claim,
  getU32,
  getU64,
  putU32,
  putU64,
  putVarint,
  takeU32,
  takeU64,
  takeVarint,
  varintBytes,
} from './bytes.ts';

export const DATA = 1;
export const MOVED = 2;
export const CARRIED = 3;
export const ACKNOWLEDGED = 4;
export const STREAM = 5;
export const REMOVED = 6;
export const SNAPSHOT_END = 7;
export const DROPPED = 8;
export const FOOTER_BEGIN = 9;

/** The records that hold a message. */
export type MessageKind = typeof DATA | typeof MOVED | typeof CARRIED;

/** Bytes of the body before the payload, per kind of message. */
export const DATA_FIELDS = 13;
export const MOVED_FIELDS = 25;
export const CARRIED_FIELDS = 21;

export function messageFields(kind: MessageKind): number {
  return kind === DATA ? DATA_FIELDS : kind === MOVED ? MOVED_FIELDS : CARRIED_FIELDS;
}

// hot: the fields before the payload; the payload is copied by the caller.
export function putData(bytes: Uint8Array, at: number, stream: number, sequence: number): void {
  bytes[at] = DATA;
  putU32(bytes, at + 1, stream);
  putU64(bytes, at + 5, sequence);
}

export function putMoved(
  bytes: Uint8Array,
  at: number,
  stream: number,
  sequence: number,
  fromStream: number,
  fromSequence: number,
): void {
  putData(bytes, at, stream, sequence);
  bytes[at] = MOVED;
  putU32(bytes, at + 13, fromStream);
  putU64(bytes, at + 17, fromSequence);
}

export function putCarried(
  bytes: Uint8Array,
  at: number,
  stream: number,
  sequence: number,
  source: number,
  attempt: number,
): void {
  putData(bytes, at, stream, sequence);
  bytes[at] = CARRIED;
  putU32(bytes, at + 13, source);
  putU32(bytes, at + 17, attempt);
}

/** The fixed fields of a message's body; `from` and `fromSequence` for MOVED, `source` and `attempt` for CARRIED. */
export const message = {
  streamOf: (bytes: Uint8Array, at: number): number => getU32(bytes, at + 1),
  sequenceOf: (bytes: Uint8Array, at: number): number => getU64(bytes, at + 5),
  fromOf: (bytes: Uint8Array, at: number): number => getU32(bytes, at + 13),
  fromSequenceOf: (bytes: Uint8Array, at: number): number => getU64(bytes, at + 17),
  sourceOf: (bytes: Uint8Array, at: number): number => getU32(bytes, at + 13),
  attemptOf: (bytes: Uint8Array, at: number): number => getU32(bytes, at + 17),
} as const;

/** Sorted disjoint ranges of sequences, ends included: what RangeSet is, as far as the format needs it. */
export interface Ranges {
  readonly length: number;
  first(index: number): number;
  last(index: number): number;
}

/** More ranges than this go into further records, so that no record and no turn grows without bound. */
export const RANGES_PER_RECORD = 4096;

// Ranges stand as varints of gap and extent: in the usual case two or three bytes each.
function rangesBytes(ranges: Ranges, from: number, to: number): number {
  let bytes = varintBytes(to - from);
  let previous = 0;
  for (let index = from; index < to; index++) {
    bytes += varintBytes(ranges.first(index) - previous);
    bytes += varintBytes(ranges.last(index) - ranges.first(index));
    previous = ranges.last(index);
  }
  return bytes;
}

function putRanges(bytes: Uint8Array, at: number, ranges: Ranges, from: number, to: number): number {
  let next = putVarint(bytes, at, to - from);
  let previous = 0;
  for (let index = from; index < to; index++) {
    next = putVarint(bytes, next, ranges.first(index) - previous);
    next = putVarint(bytes, next, ranges.last(index) - ranges.first(index));
    previous = ranges.last(index);
  }
  return next;
}

function takeRanges(cursor: Cursor, each: (first: number, last: number) => void): void {
  let previous = 0;
  for (let left = takeVarint(cursor); left > 0; left--) {
    const first = previous + takeVarint(cursor);
    previous = first + takeVarint(cursor);
    each(first, previous);
  }
}

export function acknowledgedBytes(ranges: Ranges, from: number, to: number): number {
  return 5 + rangesBytes(ranges, from, to);
}

/** Ranges `[from, to)` of the set. */
export function putAcknowledged(
  bytes: Uint8Array,
  at: number,
  stream: number,
  ranges: Ranges,
  from: number,
  to: number,
): void {
  bytes[at] = ACKNOWLEDGED;
  putU32(bytes, at + 1, stream);
  putRanges(bytes, at + 5, ranges, from, to);
}

export function takeAcknowledged(
  cursor: Cursor,
  each: (stream: number, first: number, last: number) => void,
): void {
  const stream = takeU32(cursor);
  takeRanges(cursor, (first, last) => each(stream, first, last));
}

export interface StreamRecord {
  readonly stream: number;
  readonly nextSequence: number;
  /** UTF-8. */
  readonly name: Uint8Array;
  readonly attributes: Uint8Array;
}

const STREAM_FIELDS = 1 + 4 + 8 + 2 + 4;

export function streamBytes(record: StreamRecord, ranges: Ranges, to: number): number {
  return STREAM_FIELDS + record.name.length + record.attributes.length + rangesBytes(ranges, 0, to);
}

/** With the first `to` ranges of what was acknowledged. */
export function putStream(
  bytes: Uint8Array,
  at: number,
  record: StreamRecord,
  ranges: Ranges,
  to: number,
): void {
  bytes[at] = STREAM;
  putU32(bytes, at + 1, record.stream);
  putU64(bytes, at + 5, record.nextSequence);
  bytes[at + 13] = record.name.length;
  bytes[at + 14] = record.name.length >>> 8;
  bytes.set(record.name, at + 15);
  let next = at + 15 + record.name.length;
  putU32(bytes, next, record.attributes.length);
  next += 4;
  bytes.set(record.attributes, next);
  putRanges(bytes, next + record.attributes.length, ranges, 0, to);
}

/** Copies what it keeps. */
export function takeStream(
  cursor: Cursor,
  each: (stream: number, first: number, last: number) => void,
): StreamRecord {
  const { bytes } = cursor;
  const stream = takeU32(cursor);
  const nextSequence = takeU64(cursor);
  const nameLengthAt = claim(cursor, 2);
  const nameLength = bytes[nameLengthAt]! | (bytes[nameLengthAt + 1]! << 8);
  const nameAt = claim(cursor, nameLength);
  const attributesLength = takeU32(cursor);
  const attributesAt = claim(cursor, attributesLength);
  takeRanges(cursor, (first, last) => each(stream, first, last));
  return {
    stream,
    nextSequence,
    name: new Uint8Array(bytes.subarray(nameAt, nameAt + nameLength)),
    attributes: new Uint8Array(bytes.subarray(attributesAt, attributesAt + attributesLength)),
  };
}

export const REMOVED_BYTES = 5;

export function putRemoved(bytes: Uint8Array, at: number, stream: number): void {
  bytes[at] = REMOVED;
  putU32(bytes, at + 1, stream);
}

export const DROPPED_BYTES = 9;

/** `attempt`: which copies of the segment count, 0 for none. */
export function putDropped(bytes: Uint8Array, at: number, segment: number, attempt: number): void {
  bytes[at] = DROPPED;
  putU32(bytes, at + 1, segment);
  putU32(bytes, at + 5, attempt);
}

export const SNAPSHOT_END_BYTES = 9;

export function putSnapshotEnd(bytes: Uint8Array, at: number, nextStreamId: number, copy: number): void {
  bytes[at] = SNAPSHOT_END;
  putU32(bytes, at + 1, nextStreamId);
  putU32(bytes, at + 5, copy);
}
