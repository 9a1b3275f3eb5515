/** One listener's place in a group's log: reads on while there is room, and is given what comes when it is at the end. */
import type { Matches } from './filter.ts';
import type { Note, Stored } from './stored.ts';
import type { Vector } from './vector.ts';

/** Who is given what is kept. */
export interface Listener {
  /** A record, the same bytes for all: not to be written to. `receivers`: that it is shared by now. */
  give(record: Uint8Array, receivers: number): void;
  /** At the end of the log, and live from here on. Said once. */
  caughtUp(sequence: number): void;
  missed(count: number): void;
  /** Whether more may be given now. When there is again, `wake` is called. */
  readonly room: boolean;
  /** To read from the log: false if it must wait, until `wake`. Listeners that share their room take turns. */
  begin(): boolean;
  /** What was read has been given. */
  end(): void;
}

/** The log that it reads. */
export interface Source {
  /** Of the last message. */
  readonly tail: number;
  /** All up to here was let go of, but for last values. */
  readonly trimmedThrough: number;
  read(after: number): Promise<readonly Stored[]>;
  /** What the reader has been given elsewhere. */
  isGiven(vector: Vector, record: Uint8Array): boolean;
  onReadFailed(error: unknown): void;
  forget(subscription: Subscription): void;
}

export interface SubscriptionOptions {
  readonly source: Source;
  readonly listener: Listener;
  readonly matches: Matches | undefined;
  /** What it has been given is behind this sequence. */
  readonly position: number;
  /** And of what is there, this too. */
  readonly given: Vector | undefined;
  /** It follows last values, and is given these first. */
  readonly view: readonly Uint8Array[] | undefined;
}

export class Subscription {
  readonly #source: Source;
  readonly #listener: Listener;
  readonly #matches: Matches | undefined;
  readonly #given: Vector | undefined;
  readonly #followsValues: boolean;
  #view: readonly Uint8Array[];
  #viewAt = 0;
  #position: number;
  #begun = false;
  #live = false;
  #caughtUp = false;
  #reading: Promise<void> | undefined;
  #closed = false;

  constructor({ source, listener, matches, position, given, view }: SubscriptionOptions) {
    this.#source = source;
    this.#listener = listener;
    this.#matches = matches;
    this.#position = position;
    this.#given = given;
    this.#followsValues = view !== undefined;
    this.#view = view ?? [];
  }

  get position(): number {
    return this.#position;
  }

  /** A trip to the log that is under way, also after `close`. Never rejects. */
  get reading(): Promise<void> | undefined {
    return this.#reading;
  }

  get isLive(): boolean {
    return this.#live;
  }

  // hot: once per message and live listener.
  /** Something was appended, and is behind all that was there. */
  append({ sequence, record, note }: Stored, receivers: number): void {
    if (!this.#live || sequence <= this.#position) return;
    if (!this.#listener.room) {
      // It reads from the log again when there is.
      this.#live = false;
      return;
    }
    this.#position = sequence;
    if (this.#isFor(note)) this.#give(record, receivers);
  }

  /** There is room, or something to read. */
  wake(): void {
    if (this.#closed || this.#live || this.#reading !== undefined) return;
    while (this.#viewAt < this.#view.length) {
      if (!this.#listener.room) return;
      this.#give(this.#view[this.#viewAt++]!, 1);
    }
    if (this.#viewAt > 0) {
      this.#view = [];
      this.#viewAt = 0;
    }
    const { tail } = this.#source;
    if (this.#position >= tail) {
      this.#live = true;
      if (!this.#caughtUp) this.#listener.caughtUp(tail);
      this.#caughtUp = true;
    } else if (this.#listener.room && this.#listener.begin()) this.#read(tail);
  }

  close(): void {
    this.#closed = true;
    this.#live = false;
    this.#source.forget(this);
  }

  #read(tail: number): void {
    const { trimmedThrough } = this.#source;
    if (this.#begun && trimmedThrough > this.#position) {
      this.#listener.missed(trimmedThrough - this.#position);
      this.#position = trimmedThrough;
    }
    this.#begun = true;
    this.#reading = this.#source.read(this.#position).then(
      (entries) => {
        this.#reading = undefined;
        if (this.#closed) {
          this.#listener.end();
          return;
        }
        for (let index = 0; index < entries.length; index++) {
          const { record, note } = entries[index]!;
          if (this.#isFor(note)) this.#give(record, 1);
        }
        this.#position = Math.max(this.#position, entries.at(-1)?.sequence ?? tail);
        this.#listener.end();
        this.wake();
      },
      (error) => {
        this.#reading = undefined;
        this.#listener.end();
        if (!this.#closed) this.#source.onReadFailed(error);
      },
    );
  }

  #isFor(note: Note): boolean {
    return note === 'shown' || note === (this.#followsValues ? 'restated' : 'late');
  }

  // hot: once per message and listener.
  #give(record: Uint8Array, receivers: number): void {
    if (this.#closed) return;
    if (this.#given !== undefined && this.#source.isGiven(this.#given, record)) return;
    if (this.#matches !== undefined && !this.#matches(record)) return;
    this.#listener.give(record, receivers);
  }
}
