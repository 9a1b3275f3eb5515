import type { Entry, Log, Stream } from '@rookery/storage';
import {
  addedAtOf,
  carriedBytes,
  carriedOf,
  encodeHead,
  expiresAtOf,
  flagsOf,
  plainHeadBytes,
} from './head.ts';
import { translate, translateAsync, translated } from './log-errors.ts';
import type { LogIds } from './log-ids.ts';
import { type Carried, handleBase, type Message, type MessageProperties, type StoredLane } from './store.ts';

/** One stream of the log, and beside it one that counts what came back. */
export class LogLane implements StoredLane {
  readonly name: string;
  readonly handleBase: number;
  readonly stream: Stream;
  readonly #log: Log;
  readonly #ids: LogIds;
  readonly #returns: ReturnCounter;

  constructor(log: Log, ids: LogIds, name: string, stream: Stream, returns: ReturnCounter) {
    this.name = name;
    this.handleBase = handleBase(name);
    this.stream = stream;
    this.#log = log;
    this.#ids = ids;
    this.#returns = returns;
  }

  get lastSequence(): number {
    return this.stream.nextSequence - 1;
  }

  get count(): number {
    return this.stream.liveCount;
  }

  get bodyBytes(): number {
    return this.stream.livePayloadBytes - this.stream.liveCount * plainHeadBytes;
  }

  // hot:
  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): LogMessage {
    const { addedAt, carried } = properties;
    const identity = carried?.identified
      ? this.#ids.keep(carried.id!, addedAt, this.name, this.stream.nextSequence)
      : undefined;
    const head = encodeHead(properties);
    try {
      const entry = this.stream.append(head, buffer, start, end);
      const { flags, expiresAt } = properties;
      const { position } = this.#log;
      return new LogMessage(this, entry, flags, addedAt, expiresAt, carried, head.length, position);
    } catch (error) {
      if (identity !== undefined) this.#ids.undo(identity);
      throw translated(error);
    }
  }

  moveFrom(message: Message, properties: MessageProperties): Message {
    const { lane, buffer, start, end } = message;
    if (!(lane instanceof LogLane && lane.#log === this.#log)) {
      const moved = this.append(properties, buffer, start, end);
      lane.acknowledge(message);
      return moved;
    }
    const head = encodeHead(properties);
    return translate(() => {
      const moved = { stream: lane.stream, entry: message.handle as Entry };
      const entry = this.stream.append(head, buffer, start, end, moved);
      const { flags, addedAt, expiresAt, carried } = properties;
      const { position } = this.#log;
      return new LogMessage(this, entry, flags, addedAt, expiresAt, carried, head.length, position);
    });
  }

  async read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<LogMessage[]> {
    const entries = await translateAsync(
      this.stream.read(afterSequence, { maxEntries: maxMessages, maxBytes }),
    );
    const messages = new Array<LogMessage>(entries.length);
    for (let at = 0; at < entries.length; at += 1) messages[at] = this.#readBack(entries[at]!);
    return messages;
  }

  // hot:
  #readBack(entry: Entry): LogMessage {
    const { buffer, start } = entry;
    const flags = flagsOf(buffer, start);
    const addedAt = addedAtOf(buffer, start);
    const expiresAt = expiresAtOf(buffer, start);
    const carried = carriedOf(buffer, start);
    const headBytes = plainHeadBytes + (carried === undefined ? 0 : carriedBytes(carried));
    return new LogMessage(this, entry, flags, addedAt, expiresAt, carried, headBytes, 0);
  }

  // hot:
  acknowledge(message: Message): void {
    try {
      this.stream.acknowledge(message.handle as Entry);
    } catch (error) {
      throw translated(error);
    }
  }

  isAcknowledged(sequence: number): boolean {
    return this.stream.isAcknowledged(sequence);
  }

  purge(): void {
    translate(() => this.stream.acknowledgeThrough(this.lastSequence));
  }

  returnsOf(message: Message): number {
    return Math.min(returnsMax, (message.carried?.returns ?? 0) + this.#returns.of(message.sequence));
  }

  countReturn(message: Message): number {
    const before = this.returnsOf(message);
    if (before >= returnsMax) return before;
    translate(() => this.#returns.add(message.sequence, this.stream.acknowledgedThrough));
    return before + 1;
  }

  remove(): void {
    translate(() => {
      this.#returns.remove();
      this.stream.remove();
    });
  }
}

const returnsMax = 255;
/** Sequences of the counting stream that each message has. */
const countsPerMessage = 256;
/** What has gone is forgotten so many messages at a time. */
const compactAfter = 256;

/**
 * How often messages of a lane came back: for message `s` that did `n` times, `256 s + 1` to `256 s + n` are
 * acknowledged in a stream of its own.
 */
export class ReturnCounter {
  readonly #create: () => Stream;
  #stream: Stream | undefined;
  #compactedThrough = 0;

  constructor(stream: Stream | undefined, create: () => Stream) {
    this.#stream = stream;
    this.#create = create;
  }

  of(sequence: number): number {
    if (this.#stream === undefined) return 0;
    const base = sequence * countsPerMessage;
    let count = 0;
    while (count < returnsMax && this.#stream.isAcknowledged(base + count + 1)) count += 1;
    return count;
  }

  /** `goneThrough`: all messages up to this one are gone. */
  add(sequence: number, goneThrough: number): void {
    this.#stream ??= this.#create();
    if (goneThrough >= this.#compactedThrough + compactAfter) {
      this.#stream.acknowledgeSequencesThrough((goneThrough + 1) * countsPerMessage);
      this.#compactedThrough = goneThrough;
    }
    this.#stream.acknowledgeSequence(sequence * countsPerMessage + this.of(sequence) + 1);
  }

  remove(): void {
    this.#stream?.remove();
    this.#stream = undefined;
  }
}

export class LogMessage implements Message {
  readonly sequence: number;
  readonly flags: number;
  readonly addedAt: number;
  readonly expiresAt: number;
  readonly position: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly lane: LogLane;
  readonly carried: Carried | undefined;
  readonly handle: Entry;

  constructor(
    lane: LogLane,
    entry: Entry,
    flags: number,
    addedAt: number,
    expiresAt: number,
    carried: Carried | undefined,
    headBytes: number,
    position: number,
  ) {
    this.sequence = entry.sequence;
    this.flags = flags;
    this.addedAt = addedAt;
    this.expiresAt = expiresAt;
    this.position = position;
    this.buffer = entry.buffer;
    this.start = entry.start + headBytes;
    this.end = entry.end;
    this.lane = lane;
    this.carried = carried;
    this.handle = entry;
  }
}
