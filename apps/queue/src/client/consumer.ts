/** Reads a queue message by message, with a bound on how many are open. */
import type { Asker } from './ask.ts';
import { waitBefore } from './backoff.ts';
import type { Codec } from './codec.ts';
import { QueueError, type QueueErrorCode } from './errors.ts';
import { type OpenMessage, type Received, ReceivedMessage } from './message.ts';
import type { ReadLinks } from './read-links.ts';
import { Slot } from './slot.ts';

export interface ConsumerOptions<T> {
  readonly reads: ReadLinks;
  readonly asker: Asker;
  readonly random: () => number;
  readonly queue: string;
  readonly key: string;
  readonly codec: Codec<never, T>;
  /** The most that are open at a time. */
  readonly prefetch: number;
  readonly signal: AbortSignal | undefined;
  /** Ends the reading when for so long there was no message. */
  readonly idleMs: number | undefined;
}

/** One wait at the server. A minute: a connection whose other end has gone is noticed soon after. */
const WAIT_MS = 60_000;
/** These pass: the reading goes on. All others end it. */
const PASSING: readonly QueueErrorCode[] = ['TIMED_OUT', 'BUSY', 'PAUSED', 'LIMIT', 'OVERLOADED'];

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<OpenMessage<T>, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export class Consumer<T> implements AsyncIterableIterator<OpenMessage<T>, undefined> {
  readonly #options: ConsumerOptions<T>;
  readonly #stop = new AbortController();
  /** Open, and not handed to the program yet. */
  #ready: ReceivedMessage<T>[] = [];
  readonly #open = new Set<ReceivedMessage<T>>();
  readonly #waiters: Waiter<T>[] = [];
  readonly #slots = new Set<Promise<void>>();
  #ended: { readonly error: unknown } | undefined;

  constructor(options: ConsumerOptions<T>) {
    this.#options = options;
    const { signal } = options;
    if (signal === undefined) return;
    if (signal.aborted) this.#end(undefined);
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<OpenMessage<T>, undefined>> {
    if (this.#slots.size === 0 && this.#ended === undefined) this.#addSlot();
    const value = this.#ready.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#ended === undefined) {
      return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    }
    const { error } = this.#ended;
    this.#ended = { error: undefined };
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /** Ends the reading, and puts back what is open. */
  async return(): Promise<IteratorResult<OpenMessage<T>, undefined>> {
    this.#end(undefined);
    await Promise.allSettled([...this.#open].map((message) => message.abort()));
    await Promise.all(this.#slots);
    return { done: true, value: undefined };
  }

  #addSlot(): void {
    const slot = this.#run().catch((error: unknown) => this.#end(error));
    this.#slots.add(slot);
    void slot.then(() => {
      this.#slots.delete(slot);
      if (this.#slots.size === 0) this.#end(undefined);
    });
  }

  /** One connection, which waits, hands its message over, and waits again when it is settled. */
  async #run(): Promise<void> {
    const { reads, key, asker, idleMs } = this.#options;
    const link = reads.borrow();
    const slot = new Slot(link, key, asker);
    let clean = true;
    let failures = 0;
    try {
      while (this.#ended === undefined) {
        try {
          const received = await slot.open(idleMs ?? WAIT_MS, { signal: this.#stop.signal });
          failures = 0;
          if (received !== undefined) {
            await new Promise<void>((resolve) => this.#deliver(received, slot, resolve));
          } else if (idleMs !== undefined) return;
        } catch (error) {
          // Its answer may open a message still: only the end of the connection makes sure that it goes back.
          clean = false;
          if (this.#ended !== undefined) return;
          if (!(error instanceof QueueError && PASSING.includes(error.code))) throw error;
          if (error.sent) return this.#addSlot();
          clean = true;
          await this.#pause(++failures);
        }
      }
    } finally {
      // For the answer of the last acknowledgement.
      await link.idle();
      reads.giveBack(link, clean);
    }
  }

  #deliver(received: Received, slot: Slot, onSettled: () => void): void {
    const { queue, codec, prefetch } = this.#options;
    const holder = slot.hold(() => {
      this.#open.delete(message);
      const index = this.#ready.indexOf(message);
      if (index >= 0) this.#ready.splice(index, 1);
      onSettled();
    });
    const message = new ReceivedMessage(queue, received, codec, holder);
    this.#open.add(message);
    // Where messages come, more connections are worth their while; an idle queue is waited for by one.
    if (this.#slots.size < prefetch && this.#ended === undefined) this.#addSlot();
    const waiter = this.#waiters.shift();
    if (this.#ended !== undefined) message.abort().catch(() => undefined);
    else if (waiter !== undefined) waiter.resolve({ done: false, value: message });
    else {
      // In the queue's order, as far as they are here: each came over a connection of its own.
      const later = this.#ready.findIndex(({ sequence }) => sequence > message.sequence);
      this.#ready.splice(later < 0 ? this.#ready.length : later, 0, message);
    }
  }

  #pause(failures: number): Promise<void> {
    const { asker, random } = this.#options;
    return new Promise((resolve) => {
      const timer = asker.clock.setTimeout(resolve, waitBefore(failures, random(), asker.settings));
      this.#stop.signal.addEventListener(
        'abort',
        () => {
          asker.clock.clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }

  readonly #onAbort = (): void => this.#end(undefined);

  /** What the program has stays open until it settles it. */
  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort();
    for (const message of this.#ready.splice(0)) message.abort().catch(() => undefined);
    const [first, ...others] = this.#waiters.splice(0);
    if (first === undefined) return;
    if (error === undefined) first.resolve({ done: true, value: undefined });
    else {
      first.reject(error);
      this.#ended = { error: undefined };
    }
    for (const waiter of others) waiter.resolve({ done: true, value: undefined });
  }
}
