/** Events that wait for an application to take them, and applications that wait for events. */
import type { Deliveries, Entry } from './deliveries.ts';
import type { BusError } from './errors.ts';
import type { ArrivedEvent } from './events.ts';
import { Fifo } from './fifo.ts';

interface Waiter {
  readonly resolve: (result: IteratorResult<ArrivedEvent, undefined>) => void;
  readonly reject: (error: BusError) => void;
}

export class Reader {
  readonly #deliveries: Deliveries;
  readonly #onTaken: () => void;
  readonly #take: ((event: ArrivedEvent) => boolean) | undefined;
  readonly #entries = new Fifo<Entry>();
  readonly #waiters = new Fifo<Waiter>();
  #end: { readonly error: BusError | undefined } | undefined;

  /** `take` is called with each event at the moment it is given to the application; false passes over it. */
  constructor(deliveries: Deliveries, onTaken: () => void, take?: (event: ArrivedEvent) => boolean) {
    this.#deliveries = deliveries;
    this.#onTaken = onTaken;
    this.#take = take;
  }

  /** Counts itself in `entry.waiting` while it keeps it. */
  // hot: once per message and reader.
  push(entry: Entry): void {
    if (this.#end !== undefined) return;
    if (this.#waiters.length > 0) {
      const event = entry.event!;
      if (this.#take?.(event) !== false) this.#waiters.shift()!.resolve({ done: false, value: event });
      return;
    }
    entry.waiting++;
    this.#entries.push(entry);
  }

  next(): Promise<IteratorResult<ArrivedEvent, undefined>> {
    for (let entry = this.#entries.shift(); entry !== undefined; entry = this.#entries.shift()) {
      const event = entry.event!;
      entry.waiting--;
      this.#deliveries.settle();
      this.#onTaken();
      if (this.#take?.(event) !== false) return Promise.resolve({ done: false, value: event });
    }
    const end = this.#end;
    if (end?.error !== undefined) return Promise.reject(end.error);
    if (end !== undefined) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** What is kept can still be read; then the reading ends, with the error if there is one. */
  end(error?: BusError): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const waiter of this.#waiters.clear()) {
      if (error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
    }
  }

  /** Forgets what was taken back. */
  prune(): void {
    this.#entries.filter((entry) => entry.event !== undefined);
  }

  /** Another reader has what is kept. */
  handOver(error: BusError): void {
    this.#entries.clear();
    this.end(error);
  }

  /** Nobody will read what is kept. */
  discard(): void {
    for (const entry of this.#entries.clear()) entry.waiting--;
    this.#deliveries.settle();
    this.#onTaken();
  }
}
