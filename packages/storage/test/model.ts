/**
 * The plain model that a log is held to: maps and numbers, no bytes on a disk. It knows of each change when it was made
 * (the log's position after it) and so, after a crash, which changes must be there and which may be.
 */
import type { Entry } from '../src/index.ts';

/** What was wrong, in words. The simulation adds seed and options. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}

/** Position of a change that is certain: made in an earlier life and seen since. */
const CERTAIN = 0;

export interface ModelMessage {
  readonly stream: ModelStream;
  readonly sequence: number;
  readonly payload: Buffer;
  /** Position of the append, or CERTAIN. */
  position: number;
  /** Undefined while it is live. */
  acknowledged: { position: number; by: ModelMessage | undefined } | undefined;
  /** The log's own handle, of this life. */
  entry: Entry | undefined;
}

export interface ModelStream {
  readonly id: number;
  name: string;
  born: number;
  removed: number | undefined;
  /** All that may be the current ones after a crash, oldest first; the last is current. */
  attributes: { bytes: Buffer; position: number }[];
  /** By sequence, in order of sequences. Those that are certainly acknowledged are forgotten. */
  readonly messages: Map<number, ModelMessage>;
  /** Sequences acknowledged for good. */
  readonly consumed: Set<number>;
  /** Sequences of another stream that this one keeps a cursor over. */
  readonly cursor: Map<number, number>;
  readonly isCursor: boolean;
}

/** What was read of one stream right after the log was opened. */
export interface Observed {
  readonly id: number;
  readonly name: string;
  readonly attributes: Buffer;
  readonly nextSequence: number;
  readonly liveCount: number;
  readonly livePayloadBytes: number;
  readonly entries: readonly Entry[];
  readonly isAcknowledged: (sequence: number) => boolean;
}

export function payloadOf(entry: Entry): Buffer {
  return entry.buffer.subarray(entry.start, entry.end);
}

export class Model {
  /** By number, also removed ones as long as the removal isn't certain. */
  readonly streams = new Map<number, ModelStream>();
  /** All payloads that were ever appended under a stream's number and a sequence. */
  readonly #archive = new Map<string, Buffer[]>();
  /** Appends taken into account over the whole life, for reports. */
  appended = 0;
  lost = 0;
  returned = 0;

  create(id: number, name: string, attributes: Buffer, position: number, isCursor: boolean): ModelStream {
    if (this.streams.has(id)) throw new Violation(`stream number ${id} was given out twice`);
    const stream: ModelStream = {
      id,
      name,
      born: position,
      removed: undefined,
      attributes: [{ bytes: attributes, position }],
      messages: new Map(),
      consumed: new Set(),
      cursor: new Map(),
      isCursor,
    };
    this.streams.set(id, stream);
    return stream;
  }

  append(stream: ModelStream, entry: Entry, payload: Buffer, position: number): ModelMessage {
    const { sequence } = entry;
    if (stream.messages.has(sequence) || stream.consumed.has(sequence)) {
      throw new Violation(`${told(stream)}: sequence ${sequence} was given out twice`);
    }
    const message = { stream, sequence, payload, position, acknowledged: undefined, entry };
    stream.messages.set(sequence, message);
    this.appended++;
    const key = `${stream.id}/${sequence}`;
    const earlier = this.#archive.get(key);
    if (earlier === undefined) this.#archive.set(key, [payload]);
    else earlier.push(payload);
    return message;
  }

  acknowledge(message: ModelMessage, position: number, by?: ModelMessage): void {
    message.acknowledged ??= { position, by };
  }

  wasAppended(stream: number, sequence: number, payload: Buffer): boolean {
    return this.#archive.get(`${stream}/${sequence}`)?.some((known) => known.equals(payload)) ?? false;
  }

  live(stream: ModelStream): ModelMessage[] {
    return [...stream.messages.values()].filter((message) => message.acknowledged === undefined);
  }

  /** Everything that was done is certain: after a clean close, or before it would matter. */
  settle(): void {
    for (const stream of this.streams.values()) {
      if (stream.removed !== undefined) {
        this.streams.delete(stream.id);
        continue;
      }
      stream.born = CERTAIN;
      stream.attributes = [{ bytes: stream.attributes.at(-1)!.bytes, position: CERTAIN }];
      for (const sequence of stream.cursor.keys()) stream.cursor.set(sequence, CERTAIN);
      for (const message of stream.messages.values()) {
        message.position = CERTAIN;
        if (message.acknowledged !== undefined) forget(message);
      }
    }
  }

  /**
   * Compares what a log holds after a restart with what it must hold (all changes up to `floor`) and may hold (the
   * later ones), and takes over what it does hold: from now on that is certain.
   */
  reconcile(observed: readonly Observed[], floor: number): void {
    const seen = new Map(observed.map((stream) => [stream.id, stream]));
    for (const { id, name } of observed) {
      if (!this.streams.has(id)) throw new Violation(`stream ${name} (${id}) was invented, or came back`);
    }
    const present = new Map<ModelMessage, Entry>();
    for (const stream of this.streams.values()) {
      const found = seen.get(stream.id);
      if (found === undefined) requireAbsenceAllowed(stream, floor);
      else {
        checkStream(stream, found, floor);
        for (const entry of found.entries) present.set(this.#match(stream, entry), entry);
      }
    }
    for (const stream of this.streams.values()) {
      const found = seen.get(stream.id);
      for (const message of stream.messages.values()) checkMessage(message, present, found, seen, floor);
    }
    for (const stream of this.streams.values()) this.#adopt(stream, present, seen.get(stream.id));
  }

  #match(stream: ModelStream, entry: Entry): ModelMessage {
    const message = stream.messages.get(entry.sequence);
    if (message === undefined) {
      const what = stream.consumed.has(entry.sequence)
        ? 'came back after its acknowledgement was certain'
        : 'was never appended, or was lost before';
      throw new Violation(`${told(stream)}: sequence ${entry.sequence} ${what}`);
    }
    if (!message.payload.equals(payloadOf(entry))) {
      throw new Violation(`${told(stream)}: sequence ${entry.sequence} has other bytes than were appended`);
    }
    return message;
  }

  /** What was seen becomes what is. */
  #adopt(stream: ModelStream, present: Map<ModelMessage, Entry>, found: Observed | undefined): void {
    if (found === undefined) {
      this.streams.delete(stream.id);
      return;
    }
    stream.name = found.name;
    stream.born = CERTAIN;
    stream.removed = undefined;
    stream.attributes = [{ bytes: found.attributes, position: CERTAIN }];
    for (const sequence of stream.cursor.keys()) {
      if (found.isAcknowledged(sequence)) stream.cursor.set(sequence, CERTAIN);
      else stream.cursor.delete(sequence);
    }
    for (const message of [...stream.messages.values()]) {
      message.entry = present.get(message);
      if (message.entry !== undefined) {
        if (message.acknowledged !== undefined) this.returned++;
        message.position = CERTAIN;
        message.acknowledged = undefined;
      } else if (found.isAcknowledged(message.sequence)) forget(message);
      else {
        stream.messages.delete(message.sequence);
        this.lost++;
      }
    }
  }
}

/** Certainly acknowledged: must never be seen again. */
function forget(message: ModelMessage): void {
  message.stream.messages.delete(message.sequence);
  message.stream.consumed.add(message.sequence);
}

function requireAbsenceAllowed(stream: ModelStream, floor: number): void {
  if (stream.born <= floor && stream.removed === undefined) {
    throw new Violation(`${told(stream)} is gone, though its creation was durable and nobody removed it`);
  }
}

function checkStream(stream: ModelStream, found: Observed, floor: number): void {
  if (stream.removed !== undefined && stream.removed <= floor) {
    throw new Violation(`${told(stream)} came back after its removal was durable`);
  }
  // Only what was not promised yet may be lost, and its name with it.
  const rescued = stream.born > floor && found.name.startsWith('recovered-');
  if (found.name !== stream.name && !rescued) {
    throw new Violation(`${told(stream)} is now called ${found.name}`);
  }
  const must = stream.attributes.findLastIndex((version) => version.position <= floor);
  const may = stream.attributes.slice(Math.max(0, must));
  const attributesLost = stream.born > floor && found.attributes.length === 0;
  if (!attributesLost && !may.some((version) => version.bytes.equals(found.attributes))) {
    throw new Violation(`${told(stream)} has attributes that were not its latest`);
  }
  checkCounts(stream, found);
  let previous = 0;
  for (const { sequence } of found.entries) {
    if (sequence <= previous) throw new Violation(`${told(stream)}: ${sequence} was read after ${previous}`);
    previous = sequence;
    if (found.isAcknowledged(sequence)) {
      throw new Violation(`${told(stream)}: ${sequence} was read, but says it is acknowledged`);
    }
  }
  if (previous >= found.nextSequence) {
    throw new Violation(`${told(stream)}: holds ${previous}, but would give out ${found.nextSequence} next`);
  }
  for (const [sequence, position] of stream.cursor) {
    if (position <= floor && !found.isAcknowledged(sequence)) {
      throw new Violation(`${told(stream)}: the cursor lost the acknowledged ${sequence}`);
    }
  }
}

function checkCounts(stream: ModelStream, found: Observed): void {
  const bytes = found.entries.reduce((sum, entry) => sum + entry.end - entry.start, 0);
  if (found.liveCount !== found.entries.length || found.livePayloadBytes !== bytes) {
    throw new Violation(
      `${told(stream)} counts ${found.liveCount} live messages of ${found.livePayloadBytes} bytes; ` +
        `read were ${found.entries.length} of ${bytes}`,
    );
  }
}

function checkMessage(
  message: ModelMessage,
  present: ReadonlyMap<ModelMessage, Entry>,
  found: Observed | undefined,
  seen: ReadonlyMap<number, Observed>,
  floor: number,
): void {
  const { stream, sequence, acknowledged } = message;
  const live = present.has(message);
  const name = `${told(stream)}: sequence ${sequence}`;
  if (live && acknowledged !== undefined && acknowledged.position <= floor) {
    throw new Violation(`${name} came back after its acknowledgement was durable`);
  }
  const must = message.position <= floor;
  if (found !== undefined && !live && must) {
    if (acknowledged === undefined) throw new Violation(`${name} was durable and is lost`);
    if (!found.isAcknowledged(sequence)) {
      throw new Violation(`${name} was durable; it is neither to be read nor acknowledged`);
    }
  }
  if (found !== undefined && must && sequence >= found.nextSequence) {
    throw new Violation(`${name} was durable, but ${found.nextSequence} would be given out next`);
  }
  const target = acknowledged?.by;
  if (target === undefined) return;
  // Moved: one record that both takes it away here and puts it there.
  const targetLive = present.has(target);
  const where = `${told(target.stream)} ${target.sequence}`;
  if (live && targetLive) throw new Violation(`${name} was moved to ${where} and is live in both places`);
  if (live || targetLive || !must || found === undefined) return;
  const excused = target.acknowledged !== undefined || target.stream.removed !== undefined;
  if (!excused && (seen.has(target.stream.id) || target.stream.removed === undefined)) {
    throw new Violation(`${name} was moved to ${where} and is in neither place`);
  }
}

export function told(stream: ModelStream): string {
  return `stream ${stream.name} (${stream.id})`;
}
