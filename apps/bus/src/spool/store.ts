/** The spool on disk: a log with a stream for each life of the publisher. */
import { randomBytes as randomBytesOfNode } from 'node:crypto';
import {
  type Clock,
  type Disk,
  type Log,
  type Entry as LogEntry,
  LogError,
  type LogOptions,
  openLog,
  type Stream,
  type SyncMode,
} from '@rookery/storage';
import { SpoolError } from './errors.ts';
import { decodeStored, OVERHEAD_BYTES, type Position, type Stored } from './message.ts';

export interface StoreOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly sync: SyncMode;
  readonly spoolBytes: number;
  readonly messageBytes: number;
  /** All of this life up to the sequence is written, and may be sent. */
  readonly onCommitted: (sequence: number) => void;
  /** There is more room. */
  readonly onForgotten: () => void;
  /** The disk failed: the store is of no use any more. */
  readonly onFailed: (error: SpoolError) => void;
  /** For a simulator. */
  readonly clock?: Clock;
  readonly randomBytes?: (size: number) => Uint8Array;
}

/** One opening of the spool, which is one publisher for the daemons. */
export interface Life {
  /** 32 hex digits. */
  readonly publisher: string;
  /** All up to here is confirmed and forgotten. */
  readonly forgotten: number;
  /** The last message. */
  readonly committed: number;
}

export interface Entry extends Stored {
  readonly sequence: number;
  readonly bytes: number;
  /** The log's. */
  readonly kept: LogEntry;
}

/** A commit group of this size is written before more is taken: a quarter of a second of a slow disk. */
const BACKLOG_BYTES = 4 * 1024 * 1024;
/** Small, since two of them may stay on disk when the spool is empty. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
const EMPTY = new Uint8Array(0);

interface Attributes {
  /** Counts the lives: streams have no order of their own. */
  readonly life: number;
  readonly positions: Readonly<Record<string, string>>;
  /** Nothing behind this sequence counts; none if all does. */
  readonly last?: number;
}

export class Store {
  readonly #log: Log;
  readonly #options: StoreOptions;
  readonly #streams: Stream[];
  /** Of earlier lives. */
  readonly #lasts: readonly number[];
  readonly #publishers: string[];
  readonly #number: number;
  /** Where each input goes on behind what is forgotten. */
  readonly #forgotten: Record<string, string>;
  /** Where each input goes on behind what is stored. */
  readonly positions: Record<string, string>;
  /** The log's position of each append that isn't committed, with its sequence. */
  #uncommitted: { position: number; sequence: number }[] = [];

  /** What is confirmed, until its positions are kept. */
  readonly #forgetting: { position: number; life: number; entries: readonly Entry[] }[] = [];

  private constructor(log: Log, options: StoreOptions, found: Found, own: Stream) {
    this.#log = log;
    this.#options = options;
    this.#streams = [...found.lives.map(({ stream }) => stream), own];
    this.#lasts = found.lives.map(({ last }) => last);
    const random = options.randomBytes ?? randomBytesOfNode;
    this.#publishers = this.#streams.map(({ name }) =>
      // A stream whose name was damaged: better a message twice than one that is taken for another.
      /^[0-9a-f]{32}$/.test(name) ? name : Buffer.from(random(16)).toString('hex'),
    );
    this.#number = found.number + 1;
    this.positions = { ...found.positions };
    this.#forgotten = { ...found.positions };
  }

  /** @throws SpoolError `SPOOL_FAILED`; LogError `log-locked` if another process has it */
  static async open(options: StoreOptions): Promise<Store> {
    const { disk, directory, sync, messageBytes, clock, randomBytes } = options;
    let store: Store | undefined;
    const logOptions: LogOptions = {
      disk,
      directory,
      sync,
      segmentBytes: SEGMENT_BYTES,
      maxPayloadBytes: messageBytes + OVERHEAD_BYTES,
      backlogBytes: BACKLOG_BYTES,
      reserveBytes: Math.ceil(((messageBytes + OVERHEAD_BYTES + BACKLOG_BYTES) * 4) / 3) + 1024,
      onCommit: (position) => store?.onCommit(position),
      onEvent: (event) => {
        if (event.type === 'failed') options.onFailed(failed(event.error));
      },
      ...(clock === undefined ? {} : { clock }),
      ...(randomBytes === undefined ? {} : { randomBytes }),
    };
    const log = await openLog(logOptions);
    const found = await find(log);
    const name = Buffer.from((randomBytes ?? randomBytesOfNode)(16)).toString('hex');
    const attributes: Attributes = { life: found.number + 1, positions: found.positions };
    const own = log.createStream(name, encodeAttributes(attributes));
    // Its name must outlast what is stored under it: a number without its publisher's id is worth nothing.
    await log.sync();
    for (const stream of found.empty) stream.remove();
    store = new Store(log, options, found, own);
    return store;
  }

  /** All lives with something in them, and at last this one. */
  get lives(): readonly Life[] {
    return this.#streams.map((stream, index) => ({
      publisher: this.#publishers[index]!,
      forgotten: stream.acknowledgedThrough,
      committed: this.#lasts[index] ?? stream.nextSequence - 1,
    }));
  }

  get bytes(): number {
    return this.#log.stats.liveBytes;
  }

  /** More is in flight than should be: wait for the next commit. */
  get congested(): boolean {
    return this.#log.congested;
  }

  /**
   * Stores a message of this life. It may be sent once `onCommitted` has told its sequence, which is given.
   *
   * @throws SpoolError `SPOOL_FULL`, `MESSAGE_TOO_LARGE`, `SPOOL_FAILED`, `CLOSED`
   */
  // hot: once per message.
  append(payload: Buffer, position: Position | undefined): number {
    const { spoolBytes, messageBytes } = this.#options;
    if (payload.length > messageBytes + OVERHEAD_BYTES) {
      throw new SpoolError('MESSAGE_TOO_LARGE', `a spooled message has at most ${messageBytes} bytes`);
    }
    if (this.bytes + payload.length > spoolBytes) throw full(`${spoolBytes} bytes wait to be sent`);
    try {
      const { sequence } = this.#streams.at(-1)!.append(EMPTY, payload, 0, payload.length);
      if (position !== undefined) this.positions[position.name] = position.at;
      this.#uncommitted.push({ position: this.#log.position, sequence });
      return sequence;
    } catch (error) {
      throw spoolError(error);
    }
  }

  /** Messages of a life in order, fewer than asked at the end; what was damaged is left out. */
  async read(
    life: number,
    afterSequence: number,
    limit: { maxEntries: number; maxBytes: number },
  ): Promise<Entry[]> {
    const entries = await this.#streams[life]!.read(afterSequence, limit);
    return entries.flatMap((kept) => {
      const stored = decodeStored(kept.buffer.subarray(kept.start, kept.end));
      const { sequence, start, end } = kept;
      return stored === undefined ? [] : [{ sequence, bytes: end - start, kept, ...stored }];
    });
  }

  publisher(life: number): string {
    return this.#publishers[life]!;
  }

  /** What was confirmed, in order. An earlier life of which nothing is left is removed. */
  forget(life: number, entries: readonly Entry[]): void {
    this.#unlessFull(() => {
      const placed = entries.filter(({ position }) => position !== undefined);
      if (placed.length === 0) {
        this.#acknowledge(life, entries);
        return;
      }
      for (const { position } of placed) this.#forgotten[position!.name] = position!.at;
      const own = this.#streams.at(-1)!;
      own.setAttributes(encodeAttributes({ life: this.#number, positions: this.#forgotten }));
      // Not before the positions are kept, or a power loss could take them alone, and the input be read twice.
      this.#forgetting.push({ position: this.#log.position, life, entries });
    });
  }

  #acknowledge(life: number, entries: readonly Entry[]): void {
    const stream = this.#streams[life]!;
    // One by one and not up to the last: so the log knows at once how much is left.
    for (const { kept } of entries) stream.acknowledge(kept);
    if (life < this.#streams.length - 1 && stream.liveCount === 0) stream.remove();
    this.#options.onForgotten();
  }

  /** On a full disk what is confirmed may stay: the daemon drops what comes again. */
  #unlessFull(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'log-full')) throw spoolError(error);
    }
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  onCommit(position: number): void {
    while (this.#forgetting.length > 0 && this.#forgetting[0]!.position <= position) {
      const { life, entries } = this.#forgetting.shift()!;
      this.#unlessFull(() => this.#acknowledge(life, entries));
    }
    let committed = 0;
    const waiting = this.#uncommitted;
    let index = 0;
    while (index < waiting.length && waiting[index]!.position <= position)
      committed = waiting[index++]!.sequence;
    if (index === 0) return;
    this.#uncommitted = waiting.slice(index);
    this.#options.onCommitted(committed);
  }
}

interface Found {
  /** Earlier ones, the oldest first, with something in them; `last`: nothing behind it counts. */
  readonly lives: readonly { readonly stream: Stream; readonly last: number }[];
  readonly empty: readonly Stream[];
  /** Of the last life. */
  readonly number: number;
  readonly positions: Readonly<Record<string, string>>;
}

const READ_LIMIT = { maxEntries: 1024, maxBytes: 1024 * 1024 };

async function find(log: Log): Promise<Found> {
  const lives = [...log.streams.values()]
    .map((stream) => ({ stream, attributes: decodeAttributes(stream.attributes) }))
    .sort((a, b) => a.attributes.life - b.attributes.life || a.stream.id - b.stream.id);
  // The last life's attributes tell what is forgotten, and what is left overrules them.
  const positions: Record<string, string> = { ...lives.at(-1)?.attributes.positions };
  const found: { stream: Stream; last: number }[] = [];
  for (const { stream, attributes } of lives) {
    const last = await review(log, stream, attributes, positions);
    found.push({ stream, last });
  }
  return {
    lives: found.filter(({ stream }) => stream.liveCount > 0),
    empty: found.filter(({ stream }) => stream.liveCount === 0).map(({ stream }) => stream),
    number: lives.at(-1)?.attributes.life ?? 0,
    positions,
  };
}

/** Takes over the positions of what is left of a life, and gives its last message that counts. */
async function review(
  log: Log,
  stream: Stream,
  attributes: Attributes,
  positions: Record<string, string>,
): Promise<number> {
  const last = attributes.last ?? stream.nextSequence - 1;
  // What is forgotten is a beginning. A power loss may have taken some acknowledgements and left later ones.
  let confirmed = last;
  while (confirmed > stream.acknowledgedThrough && !stream.isAcknowledged(confirmed)) confirmed--;
  stream.acknowledgeThrough(confirmed);
  let next = confirmed + 1;
  for (let after = confirmed; ; ) {
    const entries = await stream.read(after, READ_LIMIT);
    if (entries.length === 0) return last;
    after = entries.at(-1)!.sequence;
    for (const { sequence, buffer, start, end } of entries) {
      const position = decodeStored(buffer.subarray(start, end))?.position;
      if (sequence > last) return await cut(log, stream, attributes, last);
      if (position === undefined) continue;
      // A power loss may take a message and leave those behind it. The input has them all: it is read again from there.
      if (sequence !== next) return await cut(log, stream, attributes, next - 1);
      positions[position.name] = position.at;
      next++;
    }
  }
}

/** Nothing behind `last` counts. That is kept first: acknowledgements alone would look like confirmations. */
async function cut(log: Log, stream: Stream, attributes: Attributes, last: number): Promise<number> {
  stream.setAttributes(encodeAttributes({ ...attributes, last }));
  await log.sync();
  for (let after = last; ; ) {
    const entries = await stream.read(after, READ_LIMIT);
    if (entries.length === 0) return last;
    after = entries.at(-1)!.sequence;
    for (const entry of entries) stream.acknowledge(entry);
  }
}

function encodeAttributes(attributes: Attributes): Buffer {
  return Buffer.from(JSON.stringify(attributes));
}

/** Damaged ones are those of an oldest life. */
function decodeAttributes(bytes: Uint8Array): Attributes {
  try {
    const attributes = JSON.parse(Buffer.from(bytes).toString()) as Partial<Attributes>;
    return { ...attributes, life: attributes.life ?? 0, positions: attributes.positions ?? {} };
  } catch {
    return { life: 0, positions: {} };
  }
}

function full(why: string): SpoolError {
  return new SpoolError('SPOOL_FULL', `the spool is full: ${why}; it has room again when some are sent`);
}

function failed(cause: Error): SpoolError {
  return new SpoolError(
    'SPOOL_FAILED',
    `the spool's disk failed: ${cause.message}. Start again: what is whole will be sent`,
    { cause },
  );
}

function spoolError(error: unknown): unknown {
  if (!(error instanceof LogError)) return error;
  switch (error.code) {
    case 'log-full':
      return full('its disk has no room');
    case 'log-busy':
      return full('the disk takes no more for now');
    case 'log-closed':
      return new SpoolError('CLOSED', 'the spool was closed', { cause: error });
    case 'payload-too-large':
      return new SpoolError('MESSAGE_TOO_LARGE', error.message, { cause: error });
    default:
      return failed(error);
  }
}
