import type { Log, Stream } from '@rookery/storage';
import { translate } from './log-errors.ts';
import { LogIds } from './log-ids.ts';
import { LogLane, ReturnCounter } from './log-lane.ts';
import type { KeptId, StoredCursor, StoredQueue } from './store.ts';

/** What a queue is made of: its own stream, and those that stand beside it by the names that `laneStreamName` gives. */
export interface QueueStreams {
  readonly main: Stream;
  readonly beside: ReadonlyMap<string, Stream>;
}

/** A stream beside the queue whose own stream has this number: numbers are never used again, as names are. */
function laneStreamName(queueStreamId: number, name: string): string {
  return `l:${queueStreamId}:${name}`;
}

export function parseLaneStreamName(name: string): { queueStreamId: number; lane: string } {
  const colon = name.indexOf(':', 2);
  return { queueStreamId: Number(name.slice(2, colon)), lane: name.slice(colon + 1) };
}

const idsName = 'i';
const returnsOf = (laneName: string): string => `n${laneName}`;

export class LogQueue implements StoredQueue {
  readonly name: string;
  readonly cursors: Map<string, LogCursor> = new Map();
  readonly lanes: Map<string, LogLane> = new Map();
  readonly main: LogLane;
  readonly #log: Log;
  readonly #stream: Stream;
  readonly #ids: LogIds;
  readonly #removed: () => void;

  constructor(log: Log, name: string, streams: QueueStreams, removed: () => void) {
    this.#log = log;
    this.name = name;
    this.#stream = streams.main;
    this.#removed = removed;
    this.#ids = new LogIds(streams.beside.get(idsName), () => this.#create(idsName));
    this.main = this.#lane('', streams.main, streams.beside);
    for (const [lane, stream] of streams.beside) {
      if (lane !== idsName && !lane.startsWith('n')) {
        this.lanes.set(lane, this.#lane(lane, stream, streams.beside));
      }
    }
  }

  #create(name: string): Stream {
    return this.#log.createStream(laneStreamName(this.#stream.id, name));
  }

  #lane(name: string, stream: Stream, beside: ReadonlyMap<string, Stream>): LogLane {
    const returns = new ReturnCounter(beside.get(returnsOf(name)), () => this.#create(returnsOf(name)));
    return new LogLane(this.#log, this.#ids, name, stream, returns);
  }

  /** See `LogIds.recover`. */
  recover(torn: boolean): Promise<boolean> {
    return this.#ids.recover(new Map([['', this.main], ...this.lanes]), torn);
  }

  get attributes(): string {
    return Buffer.from(this.#stream.attributes).toString();
  }

  get foundIds(): readonly KeptId[] {
    return this.#ids.found;
  }

  get lastIdMark(): number {
    return this.#ids.lastMark;
  }

  createLane(name: string): LogLane {
    const lane = this.#lane(
      name,
      translate(() => this.#create(name)),
      new Map(),
    );
    this.lanes.set(name, lane);
    return lane;
  }

  removeLane(name: string): void {
    this.lanes.get(name)?.remove();
    this.lanes.delete(name);
  }

  forgetIdsThrough(mark: number): void {
    this.#ids.forgetThrough(mark);
  }

  forgetId(mark: number): void {
    this.#ids.forget(mark);
  }

  setAttributes(attributes: string): void {
    translate(() => this.#stream.setAttributes(Buffer.from(attributes)));
  }

  remove(): void {
    translate(() => {
      for (const cursor of [...this.cursors.values()]) cursor.remove();
      for (const name of [...this.lanes.keys()]) this.removeLane(name);
      this.#ids.remove();
      this.main.remove();
    });
    this.#removed();
  }

  createCursor(name: string): StoredCursor {
    return translate(() => {
      const stream = this.#log.createStream(cursorStreamName(this.name, name));
      const cursor = new LogCursor(this, name, stream);
      this.cursors.set(name, cursor);
      return cursor;
    });
  }
}

/** A stream that holds acknowledgements only. */
export class LogCursor implements StoredCursor {
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

/** The length of the queue's name stands first, because either name may hold any character. */
function cursorStreamName(queueName: string, cursorName: string): string {
  return `c:${queueName.length}:${queueName}${cursorName}`;
}

export function parseCursorStreamName(name: string): { queueName: string; cursorName: string } {
  const start = name.indexOf(':', 2) + 1;
  const middle = start + Number(name.slice(2, start - 1));
  return { queueName: name.slice(start, middle), cursorName: name.slice(middle) };
}
