import { LogError } from '../errors.ts';
import { FRAME_HEADER } from '../format/frame.ts';
import {
  DATA,
  DATA_FIELDS,
  MOVED,
  MOVED_FIELDS,
  putData,
  putMoved,
  putRemoved,
  putStream,
  REMOVED_BYTES,
  streamBytes,
} from '../format/records.ts';
import { addPart, currentPart, discount, discountAllBut, discountRange, enter } from './accounting.ts';
import { type Core, refusal } from './core.ts';
import { RangeSet } from './ranges.ts';
import { hasEntry, makeEntry, readEntries } from './reader.ts';
import type { Part, Segment } from './segment.ts';
import type { Entry, MakeEntry, Place, Stream } from './types.ts';
import { allot, finishFrame, schedule, writeRecord } from './writer.ts';

const NO_RANGES: RangeSet = new RangeSet();
/** Here, because to Node `Buffer` is a getter of the global object, and V8 asks it each time. */
const { copy: copyBytes } = Buffer.prototype;

/** One stream. A class, because there may be many and each call of it is on a hot path. */
export class LogStream implements Stream {
  readonly id: number;
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly core: Core;
  attributes: Uint8Array;
  nextSequence = 1;
  liveCount = 0;
  livePayloadBytes = 0;
  removed = false;
  /** Oldest segment first, but for the carried ones. */
  parts: Part[] = [];
  readonly acknowledged: RangeSet = new RangeSet();
  /** Of those, what no record tells of yet. */
  readonly untold: RangeSet = new RangeSet();
  marked = false;
  // Where the next message of each kind goes, while its segment is active.
  #dataPart: Part | undefined;
  #movedPart: Part | undefined;
  // Entries that MOVED records in that segment took away.
  #movedAway: RangeSet = NO_RANGES;
  #movedIn: Segment | undefined;

  constructor(core: Core, id: number, name: string, nameBytes: Uint8Array, attributes: Uint8Array) {
    this.core = core;
    this.id = id;
    this.name = name;
    this.nameBytes = nameBytes;
    this.attributes = attributes;
  }

  // hot: one copy of the body, one CRC, one object; figures in docs/internals/storage.md.
  append<E extends Place = Entry>(
    head: Uint8Array,
    body: Uint8Array,
    bodyStart: number,
    bodyEnd: number,
    moved?: { readonly stream: Stream; readonly entry: Place },
    make: MakeEntry<E> = makeEntry as MakeEntry<Place> as MakeEntry<E>,
  ): E {
    const { core } = this;
    const size = head.length + bodyEnd - bodyStart;
    if (core.appendsRefused || this.removed || size > core.limits.maxPayloadBytes) this.#refuse(size);
    const fields = moved === undefined ? DATA_FIELDS : MOVED_FIELDS;
    const bytes = FRAME_HEADER + fields + size;
    if (core.pendingBytes + bytes > core.limits.busyBytes) {
      throw new LogError('log-busy', 'Too much is in flight; read less until the next commit.');
    }
    const at = allot(core, bytes);
    const chunk = core.chunk!;
    const { buffer } = chunk;
    const sequence = this.nextSequence++;
    const start = at + FRAME_HEADER + fields;
    if (moved === undefined) putData(buffer, at + FRAME_HEADER, this.id, sequence);
    else {
      putMoved(buffer, at + FRAME_HEADER, this.id, sequence, moved.stream.id, moved.entry.sequence);
    }
    for (let index = 0; index < head.length; index++) buffer[start + index] = head[index]!;
    if (bodyStart === 0 && bodyEnd === body.length) buffer.set(body, start + head.length);
    else copyBytes.call(body, buffer, start + head.length, bodyStart, bodyEnd);
    finishFrame(core, at, fields + size);
    const part = this.#part(moved !== undefined);
    enter(core, this, part, sequence, chunk.offset + at - chunk.start, size);
    core.position++;
    core.counters.appendedRecords++;
    // The MOVED record itself tells of this acknowledgement: no other does.
    if (moved !== undefined) (moved.stream as LogStream).#settleMoved(moved.entry);
    return make(sequence, buffer, start, start + size, part);
  }

  #part(moved: boolean): Part {
    const known = moved ? this.#movedPart : this.#dataPart;
    if (known !== undefined && known.segment === this.core.active) return known;
    const part = addPart(this.core.active, this, moved ? MOVED : DATA, 0, 0);
    if (moved) this.#movedPart = part;
    else this.#dataPart = part;
    return part;
  }

  /** Appends to a part that recovery found in the segment that goes on. */
  resumePart(part: Part): void {
    if (part.kind === DATA) this.#dataPart = part;
    else if (part.kind === MOVED) this.#movedPart = part;
  }

  read<E extends Place = Entry>(
    afterSequence: number,
    limit: { readonly maxEntries: number; readonly maxBytes: number },
    make: MakeEntry<E> = makeEntry as MakeEntry<Place> as MakeEntry<E>,
  ): Promise<E[]> {
    return readEntries(this.core, this, afterSequence, limit.maxEntries, limit.maxBytes, make);
  }

  has(sequence: number): Promise<boolean> {
    return hasEntry(this.core, this, sequence);
  }

  // hot: in order, this is a handful of additions.
  acknowledge(entry: Place): void {
    if (this.core.changesRefused) throw refusal(this.core);
    if (!this.settle(entry)) return;
    this.untold.add(entry.sequence);
    this.#mark();
  }

  /** Counts an entry as consumed; false if it was before. */
  settle(entry: Place): boolean {
    if (this.removed || !this.acknowledged.add(entry.sequence)) return false;
    discount(this.core, this, currentPart(entry.part as Part, entry.sequence), entry.size);
    return true;
  }

  /** A message whose bytes were found damaged and set aside counts as consumed. */
  consumeDamaged(part: Part, sequence: number, size: number): void {
    if (!this.acknowledged.add(sequence)) return;
    discount(this.core, this, currentPart(part, sequence), size);
    this.untold.add(sequence);
    this.#mark();
  }

  #settleMoved(entry: Place): void {
    if (!this.settle(entry)) return;
    const { active } = this.core;
    // A snapshot must not tell of it: it could survive a power loss that takes the record which holds the message.
    if (active.snapshotComplete) return;
    if (this.#movedIn !== active) this.#movedAway = new RangeSet();
    this.#movedIn = active;
    this.#movedAway.add(entry.sequence);
  }

  /** What a snapshot in the active segment tells: all but what MOVED records in the same segment tell themselves. */
  get snapshotRanges(): RangeSet {
    return this.#movedIn === this.core.active
      ? this.acknowledged.without(this.#movedAway)
      : this.acknowledged;
  }

  acknowledgeThrough(sequence: number): void {
    const last = Math.min(sequence, this.nextSequence - 1);
    if (last >= 1) this.#acknowledgeRange(1, last);
  }

  acknowledgeRange(first: number, last: number): void {
    const end = Math.min(last, this.nextSequence - 1);
    if (end >= first) this.#acknowledgeRange(first, end);
  }

  acknowledgeSequence(sequence: number): void {
    this.#acknowledgeSequences(sequence, sequence);
  }

  acknowledgeSequencesThrough(sequence: number): void {
    this.#acknowledgeSequences(1, sequence);
  }

  get acknowledgedThrough(): number {
    const { acknowledged } = this;
    return acknowledged.length > 0 && acknowledged.first(0) <= 1 ? acknowledged.last(0) : 0;
  }

  #acknowledgeSequences(first: number, last: number): void {
    this.#acknowledgeRange(first, last);
    // As after recovery: what was acknowledged is never given to a new record.
    if (last >= this.nextSequence) this.nextSequence = last + 1;
  }

  isAcknowledged(sequence: number): boolean {
    return this.acknowledged.has(sequence);
  }

  #acknowledgeRange(first: number, last: number): void {
    if (this.core.changesRefused) throw refusal(this.core);
    if (this.removed || this.acknowledged.covers(first, last)) return;
    const range = new RangeSet();
    range.addRange(first, last);
    // Only what is new: what a MOVED record consumed before must not be told of by a record that outlives it.
    const fresh = range.without(this.acknowledged);
    for (let at = 0; at < fresh.length; at++) this.untold.addRange(fresh.first(at), fresh.last(at));
    this.acknowledged.addRange(first, last);
    discountRange(this.core, this, first, last);
    this.#mark();
  }

  /** The next batch has something to tell of this stream. */
  #mark(): void {
    const { core } = this;
    if (!this.marked) {
      this.marked = true;
      core.marked.push(this);
    }
    core.position++;
    if (!core.scheduled) schedule(core);
  }

  setAttributes(attributes: Uint8Array): void {
    if (this.core.appendsRefused || this.removed || attributes.length > this.core.limits.maxPayloadBytes) {
      this.#refuse(attributes.length);
    }
    this.attributes = new Uint8Array(attributes);
    this.writeBirth();
  }

  /** The STREAM record without acknowledgements: those stand where they happened. */
  writeBirth(): void {
    const record = {
      stream: this.id,
      nextSequence: this.nextSequence,
      name: this.nameBytes,
      attributes: this.attributes,
    };
    writeRecord(this.core, streamBytes(record, NO_RANGES, 0), (bytes, at) =>
      putStream(bytes, at, record, NO_RANGES, 0),
    );
  }

  remove(): void {
    const { core } = this;
    if (core.changesRefused) throw refusal(core);
    if (this.removed) return;
    this.removed = true;
    for (const part of this.parts) {
      discountAllBut(core, this, part, 0, 0);
      core.recounts.delete(part);
    }
    this.parts = [];
    core.streams.delete(this.id);
    if (core.byName.get(this.name) === this) core.byName.delete(this.name);
    writeRemoval(core, this.id);
  }

  #refuse(size: number): never {
    if (this.core.appendsRefused) throw refusal(this.core);
    if (this.removed) throw new LogError('stream-removed', `The stream ${this.name} was removed.`);
    throw new LogError(
      'payload-too-large',
      `A payload of ${size} bytes is over the limit of ${this.core.limits.maxPayloadBytes}.`,
    );
  }
}

export function writeRemoval(core: Core, stream: number): void {
  writeRecord(core, REMOVED_BYTES, (bytes, at) => putRemoved(bytes, at, stream));
}
