import { join } from 'node:path';
import {
  type Entry,
  type Log,
  LogError,
  type LogErrorCode,
  type LogOptions,
  openLog,
  type Stream,
} from '@rookery/storage';
import {
  type Message,
  type MessageProperties,
  type Store,
  type StoredCursor,
  type StoredQueue,
  StoreError,
  type StoreErrorCode,
} from './store.ts';

/**
 * The embedded store: every queue is a stream of one log, a message is one record, and a cursor is a stream that
 * holds acknowledgements only.
 *
 * A message's payload is a head of 17 bytes and the body:
 * `u8 version = 1 | u32 flags | u48 added_ms | u48 expires_ms (0: never)`, little-endian.
 */
const headBytes = 17;
const headVersion = 1;

/** One for all appends: the log copies it before `append` returns. */
const head = Buffer.alloc(headBytes);
head[0] = headVersion;

export type LogStoreOptions = Omit<LogOptions, 'onCommit'>;

/** Where the log lies in the folder that `serve` has as `--data`. */
export function logDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'log');
}

/** @throws StoreError `store-locked`, or LogError for a folder that is not a log of this version */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  let store: LogStore | undefined;
  const log = await translateAsync(
    openLog({
      ...options,
      onCommit: (position) => store?.onCommit(position),
      onEvent: (event) => {
        options.onEvent?.(event);
        if (event.type === 'failed') store?.onFailure(event.error);
      },
    }),
  );
  store = new LogStore(log);
  return store;
}

export class LogStore implements Store {
  readonly log: Log;
  readonly queues: Map<string, LogQueue> = new Map();
  onCommit: (position: number) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(log: Log) {
    this.log = log;
    const cursors: Stream[] = [];
    for (const stream of log.streams.values()) {
      if (stream.name.startsWith('c:')) cursors.push(stream);
      // A stream that recovery had to name itself still holds somebody's messages: it shows as a queue.
      else this.#adopt(stream, stream.name.startsWith('q:') ? stream.name.slice(2) : stream.name);
    }
    for (const stream of cursors) {
      const { queueName, cursorName } = parseCursorStreamName(stream.name);
      const queue = this.queues.get(queueName);
      if (queue === undefined) stream.remove();
      else queue.cursors.set(cursorName, new LogCursor(queue, cursorName, stream));
    }
  }

  get position(): number {
    return this.log.position;
  }

  get committedPosition(): number {
    return this.log.committedPosition;
  }

  get full(): boolean {
    return this.log.full;
  }

  get congested(): boolean {
    return this.log.congested;
  }

  get maxChangeBytes(): number {
    return this.log.maxInFlightBytes;
  }

  createQueue(name: string, attributes: string): LogQueue {
    return translate(() => this.#adopt(this.log.createStream(`q:${name}`, Buffer.from(attributes)), name));
  }

  sync(): Promise<void> {
    return translateAsync(this.log.sync());
  }

  close(): Promise<void> {
    return translateAsync(this.log.close());
  }

  #adopt(stream: Stream, name: string): LogQueue {
    const queue = new LogQueue(this, stream, name);
    this.queues.set(name, queue);
    return queue;
  }
}

class LogQueue implements StoredQueue {
  readonly name: string;
  readonly cursors: Map<string, LogCursor> = new Map();
  readonly store: LogStore;
  readonly #stream: Stream;

  constructor(store: LogStore, stream: Stream, name: string) {
    this.store = store;
    this.name = name;
    this.#stream = stream;
  }

  get attributes(): string {
    return Buffer.from(this.#stream.attributes).toString();
  }

  get lastSequence(): number {
    return this.#stream.nextSequence - 1;
  }

  get count(): number {
    return this.#stream.liveCount;
  }

  get bodyBytes(): number {
    return this.#stream.livePayloadBytes - this.#stream.liveCount * headBytes;
  }

  // hot:
  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): LogMessage {
    writeHead(properties);
    try {
      const entry = this.#stream.append(head, buffer, start, end);
      return new LogMessage(entry, properties, this.store.log.position);
    } catch (error) {
      throw translated(error);
    }
  }

  moveFrom(source: StoredQueue, message: Message, properties: MessageProperties): LogMessage {
    if (!(source instanceof LogQueue && source.store === this.store)) {
      const moved = this.append(properties, message.buffer, message.start, message.end);
      source.acknowledge(message);
      return moved;
    }
    writeHead(properties);
    return translate(() => {
      const moved = { stream: source.#stream, entry: message.handle as Entry };
      const entry = this.#stream.append(head, message.buffer, message.start, message.end, moved);
      return new LogMessage(entry, properties, this.store.log.position);
    });
  }

  async read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<LogMessage[]> {
    const entries = await translateAsync(
      this.#stream.read(afterSequence, { maxEntries: maxMessages, maxBytes }),
    );
    return entries.map((entry) => new LogMessage(entry, readHead(entry), 0));
  }

  // hot:
  acknowledge(message: Message): void {
    try {
      this.#stream.acknowledge(message.handle as Entry);
    } catch (error) {
      throw translated(error);
    }
  }

  isAcknowledged(sequence: number): boolean {
    return this.#stream.isAcknowledged(sequence);
  }

  purge(): void {
    translate(() => this.#stream.acknowledgeThrough(this.lastSequence));
  }

  setAttributes(attributes: string): void {
    translate(() => this.#stream.setAttributes(Buffer.from(attributes)));
  }

  remove(): void {
    translate(() => {
      for (const cursor of [...this.cursors.values()]) cursor.remove();
      this.#stream.remove();
    });
    this.store.queues.delete(this.name);
  }

  createCursor(name: string): StoredCursor {
    return translate(() => {
      const stream = this.store.log.createStream(cursorStreamName(this.name, name));
      const cursor = new LogCursor(this, name, stream);
      this.cursors.set(name, cursor);
      return cursor;
    });
  }
}

class LogCursor implements StoredCursor {
  readonly name: string;
  readonly #queue: LogQueue;
  readonly #stream: Stream;

  constructor(queue: LogQueue, name: string, stream: Stream) {
    this.#queue = queue;
    this.name = name;
    this.#stream = stream;
  }

  acknowledge(sequence: number): void {
    translate(() => this.#stream.acknowledgeSequence(sequence));
  }

  get consumedThrough(): number {
    return this.#stream.acknowledgedThrough;
  }

  acknowledgeThrough(sequence: number): void {
    translate(() => this.#stream.acknowledgeSequencesThrough(sequence));
  }

  isAcknowledged(sequence: number): boolean {
    return this.#stream.isAcknowledged(sequence);
  }

  remove(): void {
    translate(() => this.#stream.remove());
    this.#queue.cursors.delete(this.name);
  }
}

class LogMessage implements Message {
  readonly sequence: number;
  readonly flags: number;
  readonly addedAt: number;
  readonly expiresAt: number;
  readonly position: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly handle: Entry;

  constructor(entry: Entry, properties: MessageProperties, position: number) {
    this.sequence = entry.sequence;
    this.flags = properties.flags;
    this.addedAt = properties.addedAt;
    this.expiresAt = properties.expiresAt;
    this.position = position;
    this.buffer = entry.buffer;
    this.start = entry.start + headBytes;
    this.end = entry.end;
    this.handle = entry;
  }
}

function writeHead(properties: MessageProperties): void {
  head.writeUInt32LE(properties.flags, 1);
  head.writeUIntLE(properties.addedAt, 5, 6);
  head.writeUIntLE(properties.expiresAt, 11, 6);
}

function readHead(entry: Entry): MessageProperties {
  const { buffer, start } = entry;
  return {
    flags: buffer.readUInt32LE(start + 1),
    addedAt: buffer.readUIntLE(start + 5, 6),
    expiresAt: buffer.readUIntLE(start + 11, 6),
  };
}

/** The length of the queue's name stands first, because either name may hold any character. */
function cursorStreamName(queueName: string, cursorName: string): string {
  return `c:${queueName.length}:${queueName}${cursorName}`;
}

function parseCursorStreamName(name: string): { queueName: string; cursorName: string } {
  const start = name.indexOf(':', 2) + 1;
  const middle = start + Number(name.slice(2, start - 1));
  return { queueName: name.slice(start, middle), cursorName: name.slice(middle) };
}

const codes: Record<LogErrorCode, StoreErrorCode> = {
  'log-locked': 'store-locked',
  'log-foreign': 'store-failed',
  'log-version': 'store-failed',
  'log-full': 'store-full',
  'log-busy': 'store-busy',
  'log-failed': 'store-failed',
  'log-closed': 'store-closed',
  'read-failed': 'store-read-failed',
  'payload-too-large': 'body-too-large',
  'name-too-long': 'name-too-long',
  'stream-exists': 'queue-exists',
  'stream-removed': 'queue-removed',
};

function translated(error: unknown): unknown {
  return error instanceof LogError
    ? new StoreError(codes[error.code], error.message, { cause: error })
    : error;
}

function translate<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

async function translateAsync<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw translated(error);
  }
}
