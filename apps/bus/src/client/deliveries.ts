/** What a session was given and what the application has taken of it. Pure: decides what is acknowledged. */
import type { ArrivedEvent } from './events.ts';
import { Fifo } from './fifo.ts';

/** A delivery, until all its readers have taken it. */
export interface Entry {
  /** None for what is no event, or was taken back. */
  event: ArrivedEvent | undefined;
  /** 0 for what this client tells itself. */
  readonly number: number;
  readonly bytes: number;
  readonly life: number;
  /** Readers that have not taken it. */
  waiting: number;
}

export class Deliveries {
  readonly #list = new Fifo<Entry>();
  /** Counts sessions: numbers of an earlier one are not acknowledged. */
  #life = 0;
  #received = 0;
  #taken = 0;
  #acknowledged = 0;
  #heldBytes = 0;
  #takenBytes = 0;

  /** The number of the last delivery that arrived. */
  get received(): number {
    return this.#received;
  }

  /** Bytes of this session that the daemon doesn't know as taken. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes that were taken since the last acknowledgement. */
  get dueBytes(): number {
    return this.#takenBytes;
  }

  get due(): boolean {
    return this.#taken > this.#acknowledged;
  }

  /** `undefined` if it is not the next one: the daemon is confused. Set `waiting` and then call `settle`. */
  // hot: once per message received.
  arrive(number: number, event: ArrivedEvent | undefined, bytes: number): Entry | undefined {
    if (number !== this.#received + 1) return undefined;
    this.#received = number;
    this.#heldBytes += bytes;
    const entry = { event, number, bytes, life: this.#life, waiting: 0 };
    this.#list.push(entry);
    return entry;
  }

  /** In its place among the deliveries, but not one of the daemon's. */
  insert(event: ArrivedEvent): Entry {
    const entry = { event, number: 0, bytes: 0, life: this.#life, waiting: 0 };
    this.#list.push(entry);
    return entry;
  }

  /** Advances over what nobody waits for. */
  settle(): void {
    while (this.#list.at(0)?.waiting === 0) {
      const { number, bytes, life } = this.#list.shift()!;
      if (life !== this.#life || number === 0) continue;
      this.#taken = number;
      this.#takenBytes += bytes;
    }
  }

  /** What to acknowledge now, and it counts as said. */
  acknowledge(): number {
    this.#acknowledged = this.#taken;
    this.#heldBytes -= this.#takenBytes;
    this.#takenBytes = 0;
    return this.#acknowledged;
  }

  /** What was taken before must be said again: the last acknowledgement may not have arrived. */
  resume(): void {
    this.#acknowledged = 0;
  }

  /** Takes back all behind a loss that somebody still has to read. False if there is no such loss. */
  collapse(): boolean {
    const lost = this.#list
      .toArray()
      .findIndex(({ event, waiting }) => waiting > 0 && event?.kind === 'lost');
    if (lost < 0) return false;
    for (const entry of this.#list.filter((_, index) => index <= lost)) entry.event = undefined;
    return true;
  }

  /** A new session begins to number anew. */
  begin(): void {
    this.#life++;
    this.#received = 0;
    this.#taken = 0;
    this.#acknowledged = 0;
    this.#heldBytes = 0;
    this.#takenBytes = 0;
  }

  /** What somebody still waits for, in order. */
  waiting(): Entry[] {
    return this.#list.toArray().filter((entry) => entry.waiting > 0);
  }
}
