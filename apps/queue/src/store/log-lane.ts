import type { Log, MakeEntry, Place, Stream } from '@rookery/storage';
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
  // The log makes messages itself: an entry beside each would be as much to make, to keep and to look at once more.
  readonly #appended: MakeEntry<LogMessage>;
  readonly #readBack: MakeEntry<LogMessage>;
  /** Of the newest put: what is read back may be of a put that is not committed yet, and is none of a later one. */
  #newestPosition = 0;

  constructor(log: Log, ids: LogIds, name: string, stream: Stream, returns: ReturnCounter) {
    this.name = name;
    this.handleBase = handleBase(name);
    this.stream = stream;
    this.#log = log;
    this.#ids = ids;
    this.#returns = returns;
    this.#appended = (sequence, buffer, start, end, part) => {
      const { position } = log;
      this.#newestPosition = position;
      return new LogMessage(this, sequence, buffer, start, end, part, position);
    };
    this.#readBack = (sequence, buffer, start, end, part) =>
      new LogMessage(this, sequence, buffer, start, end, part, this.#newestPosition);
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
    try {
      return this.stream.append(encodeHead(properties), buffer, start, end, undefined, this.#appended);
    } catch (error) {
      if (identity !== undefined) this.#ids.undo(identity);
      throw translated(error);
    }
  }

  moveFrom(message: Message, properties: MessageProperties): Message {
    const { lane, buffer, start, end } = message;
    if (!(message instanceof LogMessage && message.lane.#log === this.#log)) {
      const moved = this.append(properties, buffer, start, end);
      lane.acknowledge(message);
      return moved;
    }
    const moved = { stream: message.lane.stream, entry: message };
    return translate(() =>
      this.stream.append(encodeHead(properties), buffer, start, end, moved, this.#appended),
    );
  }

  read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<LogMessage[]> {
    const limit = { maxEntries: maxMessages, maxBytes };
    return translateAsync(this.stream.read(afterSequence, limit, this.#readBack));
  }

  // hot:
  acknowledge(message: Message): void {
    try {
      this.stream.acknowledge(message as LogMessage);
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

/**
 * A message, and the log's entry for it. Its head stays among the log's bytes, just before the body, and is decoded when
 * it is asked for: hardly ever twice.
 */
export class LogMessage implements Message, Place {
  readonly sequence: number;
  readonly position: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly lane: LogLane;
  readonly carried: Carried | undefined;
  readonly size: number;
  readonly part: unknown;

  constructor(
    lane: LogLane,
    sequence: number,
    buffer: Buffer,
    headStart: number,
    end: number,
    part: unknown,
    position: number,
  ) {
    const carried = carriedOf(buffer, headStart);
    this.sequence = sequence;
    this.position = position;
    this.buffer = buffer;
    this.start = headStart + plainHeadBytes + (carried === undefined ? 0 : carriedBytes(carried));
    this.end = end;
    this.lane = lane;
    this.carried = carried;
    this.size = end - headStart;
    this.part = part;
  }

  get flags(): number {
    return flagsOf(this.buffer, this.end - this.size);
  }

  get addedAt(): number {
    return addedAtOf(this.buffer, this.end - this.size);
  }

  get expiresAt(): number {
    return expiresAtOf(this.buffer, this.end - this.size);
  }
}
