/** What the records of scanned segments say, joined. Their order doesn't matter but for attributes: the latest count. */
import type { Cursor } from '../format/bytes.ts';
import { getU32 } from '../format/bytes.ts';
import {
  ACKNOWLEDGED,
  CARRIED,
  DATA,
  DROPPED,
  type MessageKind,
  MOVED,
  message,
  messageFields,
  REMOVED,
  SNAPSHOT_END,
  STREAM,
  type StreamRecord,
  takeAcknowledged,
  takeStream,
} from '../format/records.ts';
import { RangeSet } from './ranges.ts';
import type { Damage } from './scan.ts';
import { addToIndex, makePart, type Part, type Segment } from './segment.ts';

/** What is known of one stream. */
export interface Known {
  readonly id: number;
  record: StreamRecord | undefined;
  /** Where the record stands, to find the latest. */
  segment: number;
  offset: number;
  nextSequence: number;
  readonly acknowledged: RangeSet;
  /** Its parts in the segment that is being scanned. */
  parts: Part[];
}

export interface Replay {
  readonly streams: Map<number, Known>;
  readonly removed: Set<number>;
  /** Segment to the attempt whose copies count. */
  readonly dropped: Map<number, number>;
  /** Streams with numbers below that are not known were removed. 0: no complete snapshot was found. */
  snapshotNext: number;
  records: number;
}

export function makeReplay(): Replay {
  return { streams: new Map(), removed: new Set(), dropped: new Map(), snapshotNext: 0, records: 0 };
}

export function knownStream(replay: Replay, id: number): Known {
  let known = replay.streams.get(id);
  if (known === undefined) {
    known = {
      id,
      record: undefined,
      segment: 0,
      offset: 0,
      nextSequence: 1,
      acknowledged: new RangeSet(),
      parts: [],
    };
    replay.streams.set(id, known);
  }
  return known;
}

export interface SnapshotEnd {
  readonly offset: number;
  readonly nextStreamId: number;
}

export interface Wanted {
  /** Messages are entered in the parts of the segment. */
  readonly index: boolean;
  /** What the records say of streams counts. Not so in segments older than a complete snapshot, which says it all. */
  readonly control: boolean;
}

/** Takes in one record. */
// hot: recovery does this half a million times for a full segment.
export function replayRecord(
  replay: Replay,
  segment: Segment,
  ends: SnapshotEnd[],
  wanted: Wanted,
  bytes: Buffer,
  start: number,
  end: number,
  offset: number,
): void {
  replay.records++;
  const type = bytes[start]!;
  if (type === DATA || type === MOVED || type === CARRIED) {
    if (type === MOVED && wanted.control) {
      const from = knownStream(replay, message.fromOf(bytes, start));
      from.acknowledged.add(message.fromSequenceOf(bytes, start));
    }
    if (wanted.index) indexMessage(replay, segment, segment.parts, type, bytes, start, end, offset);
    return;
  }
  if (!wanted.control) return;
  const cursor: Cursor = { bytes, at: start + 1, end };
  if (type === ACKNOWLEDGED) {
    takeAcknowledged(cursor, (stream, first, last) =>
      knownStream(replay, stream).acknowledged.addRange(first, last),
    );
  } else if (type === STREAM) {
    const known = knownStream(replay, getU32(bytes, start + 1));
    const record = takeStream(cursor, (_stream, first, last) => known.acknowledged.addRange(first, last));
    known.nextSequence = Math.max(known.nextSequence, record.nextSequence);
    const later =
      segment.number > known.segment || (segment.number === known.segment && offset > known.offset);
    if (known.record === undefined || later) {
      known.record = record;
      known.segment = segment.number;
      known.offset = offset;
    }
  } else if (type === REMOVED) replay.removed.add(getU32(bytes, start + 1));
  else if (type === DROPPED) replay.dropped.set(getU32(bytes, start + 1), getU32(bytes, start + 5));
  else if (type === SNAPSHOT_END) ends.push({ offset, nextStreamId: getU32(bytes, start + 1) });
}

/** Enters a message in one of the parts, or in a new one. */
export function indexMessage(
  replay: Replay,
  segment: Segment,
  parts: Part[],
  kind: MessageKind,
  bytes: Buffer,
  start: number,
  end: number,
  offset: number,
): void {
  const known = knownStream(replay, message.streamOf(bytes, start));
  const sequence = message.sequenceOf(bytes, start);
  if (sequence >= known.nextSequence) known.nextSequence = sequence + 1;
  const source = kind === CARRIED ? message.sourceOf(bytes, start) : 0;
  const attempt = kind === CARRIED ? message.attemptOf(bytes, start) : 0;
  if (known.parts.length > 0 && known.parts[0]!.segment !== segment) known.parts = [];
  let part: Part | undefined;
  for (let at = known.parts.length - 1; at >= 0 && part === undefined; at--) {
    const candidate = known.parts[at]!;
    if (fits(candidate, kind, source, attempt, sequence)) part = candidate;
  }
  if (part === undefined) {
    part = makePart(segment, known.id, kind, source, attempt);
    parts.push(part);
    known.parts.push(part);
  }
  addToIndex(part, sequence, offset, end - start - messageFields(kind));
}

function fits(part: Part, kind: MessageKind, source: number, attempt: number, sequence: number): boolean {
  return part.kind === kind && part.source === source && part.attempt === attempt && part.last < sequence;
}

/** Whether one of the copies of the snapshot stands there undamaged; then what it says is all there is. */
export function completeSnapshot(
  ends: readonly SnapshotEnd[],
  damaged: readonly Damage[],
): SnapshotEnd | undefined {
  let from = 0;
  let complete: SnapshotEnd | undefined;
  for (const end of ends) {
    const start = from;
    const clean = damaged.every((place) => place.offset >= end.offset || place.offset + place.bytes <= start);
    if (clean) complete = end;
    from = end.offset;
  }
  return complete;
}
