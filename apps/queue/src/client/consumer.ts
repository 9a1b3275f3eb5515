/** Reads a queue message by message, with a bound on how many are open. */
import { type Asker, ask } from './ask.ts';
import { waitBefore } from './backoff.ts';
import type { Codec } from './codec.ts';
import { QueueError, type QueueErrorCode } from './errors.ts';
import { Holding } from './holding.ts';
import type { Link } from './link.ts';
import { type OpenMessage, type Received, ReceivedMessage } from './message.ts';
import { readQuestion } from './questions/reads.ts';
import type { ReadLinks } from './read-links.ts';

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
/** The longest time between two looks of the second connection at what can't be opened. */
const LOOK_MS = 1000;
/** These pass: the reading goes on. All others end it. */
const PASSING: readonly QueueErrorCode[] = ['TIMED_OUT', 'BUSY', 'PAUSED', 'LIMIT', 'OVERLOADED'];

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<OpenMessage<T>, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * It opens batch after batch on one connection. A wait at the server holds up what is asked behind it, and an
 * acknowledgement must not be held up: so it waits there only while nothing is open. Otherwise a second connection waits
 * for a message to look at, and then they are opened without a wait.
 */
export class Consumer<T> implements AsyncIterableIterator<OpenMessage<T>, undefined> {
  readonly #options: ConsumerOptions<T>;
  readonly #stop = new AbortController();
  /** Open, and not handed to the program yet. */
  readonly #ready: ReceivedMessage<T>[] = [];
  readonly #open = new Set<ReceivedMessage<T>>();
  readonly #waiters: Waiter<T>[] = [];
  #running: Promise<void> | undefined;
  #bell: { readonly link: Link; readonly rung: Promise<void> } | undefined;
  /** Resolves when a message is settled, or the reading ends. */
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();
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
    if (this.#ended === undefined) this.#running ??= this.#run();
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
    await this.#running;
    return { done: true, value: undefined };
  }

  async #run(): Promise<void> {
    const { reads, key, asker } = this.#options;
    let link: Link | undefined;
    try {
      link = reads.borrow();
      await this.#read(new Holding(link, key, asker));
      this.#end(undefined);
    } catch (error) {
      this.#end(error);
    }
    this.#hangUpBell();
    if (link === undefined) return;
    // What the program has can still be settled.
    while (this.#open.size > 0) await this.#change();
    // For the answers of the last acknowledgements. A wait that was given up goes on at the server: its connection ends.
    await link.idle();
    reads.giveBack(link, !link.owed);
  }

  async #read(holding: Holding): Promise<void> {
    const { prefetch, idleMs } = this.#options;
    const signal = this.#stop.signal;
    let failures = 0;
    let vainRings = 0;
    while (this.#ended === undefined) {
      const free = prefetch - this.#open.size;
      if (free <= 0) {
        await this.#change();
        continue;
      }
      const waits = this.#open.size === 0;
      try {
        // A wait is given up when the reading ends; what is answered at once is answered.
        const received = await (waits
          ? holding.open(free, idleMs ?? WAIT_MS, { signal })
          : holding.open(free, 0, undefined));
        failures = 0;
        this.#deliver(holding, received);
        if (received.length > 0 || waits) {
          vainRings = 0;
          if (received.length === 0 && idleMs !== undefined) return;
          continue;
        }
        // It may show what another takes, or what a paused queue keeps, and would ring at once, again and again.
        if (vainRings > 0) await this.#pause(vainRings, LOOK_MS);
        if (await this.#rings()) vainRings++;
      } catch (error) {
        if (this.#ended !== undefined) return;
        if (!(error instanceof QueueError && PASSING.includes(error.code))) throw error;
        await this.#pause(++failures);
      }
    }
  }

  #deliver(holding: Holding, received: readonly Received[]): void {
    const { queue, codec } = this.#options;
    for (const one of received) {
      const holder = holding.hold(one, () => {
        this.#open.delete(message);
        const index = this.#ready.indexOf(message);
        if (index >= 0) this.#ready.splice(index, 1);
        this.#tellChange();
      });
      const message: ReceivedMessage<T> = new ReceivedMessage(queue, one, codec, holder);
      this.#open.add(message);
      const waiter = this.#ended === undefined ? this.#waiters.shift() : undefined;
      if (this.#ended !== undefined) message.abort().catch(() => undefined);
      else if (waiter !== undefined) waiter.resolve({ done: false, value: message });
      else this.#ready.push(message);
    }
  }

  /** Resolves when there is a message to look at; false when none is open any more, or the reading ends. */
  async #rings(): Promise<boolean> {
    this.#bell ??= this.#hang();
    let rang = false;
    void this.#bell.rung.then(() => {
      rang = true;
      this.#tellChange();
    });
    while (!rang && this.#open.size > 0 && this.#ended === undefined) await this.#change();
    return rang;
  }

  #hang(): { readonly link: Link; readonly rung: Promise<void> } {
    const { reads, key, asker } = this.#options;
    const link = reads.borrow();
    const question = readQuestion({ key: `${key}/peek`, waitMs: WAIT_MS, afterLoss: 'again' });
    const rung = ask(link, question, asker, undefined).then(
      () => {
        this.#bell = undefined;
        reads.giveBack(link, true);
      },
      () => {
        this.#bell = undefined;
        reads.giveBack(link, false);
      },
    );
    return { link, rung };
  }

  #hangUpBell(): void {
    if (this.#bell !== undefined) this.#options.reads.giveBack(this.#bell.link, false);
  }

  #change(): Promise<void> {
    return this.#changed.promise;
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Ends early when something changes. */
  async #pause(failures: number, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { asker, random } = this.#options;
    const ms = Math.min(atMostMs, waitBefore(failures, random(), asker.settings));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = asker.clock.setTimeout(resolve, ms);
    await Promise.race([promise, this.#change()]);
    asker.clock.clearTimeout(timer);
  }

  readonly #onAbort = (): void => this.#end(undefined);

  /** What the program has stays open until it settles it. */
  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort();
    for (const message of this.#ready.splice(0)) message.abort().catch(() => undefined);
    this.#tellChange();
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
