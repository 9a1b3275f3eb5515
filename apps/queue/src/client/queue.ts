/** One queue of a server. */
import { type Asker, ask } from './ask.ts';
import type { Codec } from './codec.ts';
import { Consumer } from './consumer.ts';
import { QueueError } from './errors.ts';
import type { Link } from './link.ts';
import { type Message, type OpenMessage, type Received, ReceivedMessage } from './message.ts';
import type { CallOptions } from './options.ts';
import {
  deleteQuestion,
  encoded,
  flushQuestion,
  nameOf,
  putQuestion,
  queuesQuestion,
  readQuestion,
} from './questions.ts';
import type { ReadLinks } from './read-links.ts';
import { Slot } from './slot.ts';
import { type QueueStats, queueStatsOf } from './stats.ts';

export interface PutOptions extends CallOptions {
  /** It expires after so long; the server counts in seconds, so up to the next one. */
  readonly expiresInMs?: number;
  /** 32 bits of the program's; default the codec's. */
  readonly flags?: number;
  /** The answer waits for the device, whatever the server's `sync` says. */
  readonly sync?: boolean;
}

export interface ReadOptions extends CallOptions {
  /** How long to wait for a message when there is none. Default 0. */
  readonly waitMs?: number;
  /** Reads from this cursor: the queue keeps the message for its own readers. */
  readonly cursor?: string;
}

export interface ConsumeOptions {
  /** The most that are open at a time. Default 16. */
  readonly prefetch?: number;
  /** Ends the reading. What the program has can still be settled; the rest goes back. */
  readonly signal?: AbortSignal;
  readonly cursor?: string;
  /** Ends the reading when for so long there was no message; 0: as soon as there is none. Default: never. */
  readonly idleMs?: number;
}

/** What a queue needs of its client. */
export interface QueueSurroundings {
  readonly link: Link;
  readonly reads: ReadLinks;
  readonly asker: Asker;
  readonly random: () => number;
}

const PREFETCH = 16;
/** From here on memcached takes seconds for Unix time; Kestrel's dialect from 1,000,000 on. */
const RELATIVE_SECONDS_MAX = 1_000_000;
/** One wait of `consume({ open: false })`. */
const WAIT_MS = 60_000;

export class Queue<In = string | Uint8Array, Out = Buffer> {
  readonly name: string;
  readonly #key: string;
  readonly #codec: Codec<In, Out>;
  readonly #around: QueueSurroundings;

  constructor(name: string, codec: Codec<In, Out>, around: QueueSurroundings) {
    this.name = name;
    this.#key = nameOf(name);
    this.#codec = codec;
    this.#around = around;
  }

  /**
   * Puts a message at the tail; resolves with its sequence when it is kept as the server's `sync` says. Don't change its
   * bytes before. A put whose answer was lost is `OUTCOME_UNKNOWN`, and is not repeated.
   */
  put(value: In, options: PutOptions = {}): Promise<number> {
    const { link, asker } = this.#around;
    return ask(link, putQuestion(this.#putRequest(value, options)), asker, options);
  }

  /** Puts them in order, in as few writes as can be. Rejects with the first failure, when the fate of each is known. */
  async putAll(values: Iterable<In>, options: PutOptions = {}): Promise<number[]> {
    const puts = await Promise.allSettled([...values].map(async (value) => this.put(value, options)));
    return puts.map((put) => {
      if (put.status === 'rejected') throw put.reason;
      return put.value;
    });
  }

  /**
   * Takes a message: it never comes again. Undefined if there is none. With `waitMs` it is opened, and acknowledged
   * before it is given; so no message is lost when the call is aborted or its connection breaks, but in the latter case
   * it may come once more. Without, what was lost on its way is `OUTCOME_UNKNOWN`.
   */
  async get(options: ReadOptions = {}): Promise<Message<Out> | undefined> {
    const { waitMs = 0 } = options;
    const { link, asker } = this.#around;
    if (waitMs <= 0) {
      const question = readQuestion({ key: this.#readKey(options), afterLoss: 'unless-sent' });
      return this.#message(await ask(link, question, asker, options));
    }
    const until = asker.clock.now() + waitMs;
    for (;;) {
      const left = until - asker.clock.now();
      const message = await this.open({ ...options, waitMs: Math.max(1, left) });
      if (message === undefined) return undefined;
      try {
        await message.acknowledge();
        return message;
      } catch (error) {
        if (!(error instanceof QueueError && error.code === 'NOT_OPEN')) throw error;
        if (error.sent) return message;
      }
    }
  }

  /** Takes up to `count` messages that are there. */
  async getAll(
    count: number,
    options: CallOptions & { readonly cursor?: string } = {},
  ): Promise<Message<Out>[]> {
    const reads = await Promise.all(Array.from({ length: count }, () => this.get(options)));
    return reads.filter((message) => message !== undefined);
  }

  /** Shows the message at the head and leaves it. */
  async peek(options: ReadOptions = {}): Promise<Message<Out> | undefined> {
    const { waitMs = 0 } = options;
    const question = readQuestion({ key: `${this.#readKey(options)}/peek`, waitMs, afterLoss: 'again' });
    const { link, asker } = this.#around;
    if (waitMs <= 0) return this.#message(await ask(link, question, asker, options));
    return this.#message(await this.#apart((apart) => ask(apart, question, asker, options)));
  }

  /**
   * Opens a message: it is the program's until it is settled, and comes back to its place in the queue when it is
   * aborted, when its time is over, and when its connection breaks.
   */
  async open(options: ReadOptions = {}): Promise<OpenMessage<Out> | undefined> {
    const { reads, asker } = this.#around;
    const link = reads.borrow();
    const slot = new Slot(link, this.#readKey(options), asker);
    let received: Received | undefined;
    try {
      received = await slot.open(options.waitMs ?? 0, options);
    } catch (error) {
      reads.giveBack(link, false);
      throw error;
    }
    if (received === undefined) {
      reads.giveBack(link, true);
      return undefined;
    }
    const holder = slot.hold(() => void link.idle().then(() => reads.giveBack(link, true)));
    return new ReceivedMessage(this.name, received, this.#codec, holder);
  }

  /**
   * Reads message by message, until the loop is left or `signal` aborts. With `open`, each is open until the program
   * settles it, and no more than `prefetch` are open at a time: who doesn't settle gets no more. When the loop is left,
   * all that is open goes back. Without `open` each is taken as `get` does.
   */
  consume(
    options?: ConsumeOptions & { readonly open?: true },
  ): AsyncIterableIterator<OpenMessage<Out>, undefined>;
  consume(options: ConsumeOptions & { readonly open: false }): AsyncIterableIterator<Message<Out>, undefined>;
  consume(
    options: ConsumeOptions & { readonly open?: boolean } = {},
  ): AsyncIterableIterator<Message<Out>, undefined> {
    const { prefetch = PREFETCH, signal } = options;
    if (!Number.isInteger(prefetch) || prefetch < 1) {
      throw new QueueError('BAD_ARGUMENT', 'prefetch is a whole number from 1 up');
    }
    if (options.open === false) return this.#taken(options);
    return new Consumer({
      reads: this.#around.reads,
      asker: this.#around.asker,
      random: this.#around.random,
      queue: this.name,
      key: this.#readKey(options),
      codec: this.#codec,
      prefetch,
      signal,
      idleMs: options.idleMs,
    });
  }

  /** Undefined if there is no such queue. */
  async stats(options?: CallOptions): Promise<QueueStats | undefined> {
    const { link, asker } = this.#around;
    const queues = await ask(link, queuesQuestion([this.#key]), asker, options);
    const figures = queues.get(this.#key);
    return figures === undefined ? undefined : queueStatsOf(this.#key, figures);
  }

  /** Drops all its messages, open ones included. */
  async flush(options?: CallOptions): Promise<void> {
    await ask(this.#around.link, flushQuestion(this.#key), this.#around.asker, options);
  }

  /** Drops the queue and its messages; false if it was not there. */
  delete(options?: CallOptions): Promise<boolean> {
    return ask(this.#around.link, deleteQuestion(this.#key), this.#around.asker, options);
  }

  async *#taken(options: ConsumeOptions): AsyncGenerator<Message<Out>, undefined> {
    const { signal, cursor, idleMs } = options;
    while (!signal?.aborted) {
      const read = {
        waitMs: idleMs ?? WAIT_MS,
        ...(signal === undefined ? {} : { signal }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      try {
        const message = await this.get(read);
        if (message !== undefined) yield message;
        else if (idleMs !== undefined) return undefined;
      } catch (error) {
        if (signal?.aborted && error instanceof QueueError && error.code === 'ABORTED') return undefined;
        throw error;
      }
    }
    return undefined;
  }

  #putRequest(value: In, options: PutOptions): Parameters<typeof putQuestion>[0] {
    const { expiresInMs, flags = this.#codec.flags, sync } = options;
    if (!Number.isInteger(flags) || flags < 0 || flags > 0xffff_ffff) {
      throw new QueueError('BAD_ARGUMENT', `flags are 0 to 4294967295, not ${flags}`);
    }
    return {
      key: sync ? `${this.#key}/sync` : this.#key,
      flags,
      exptime: exptimeOf(expiresInMs),
      body: encoded(() => this.#codec.encode(value)),
    };
  }

  #readKey({ cursor }: { readonly cursor?: string }): string {
    return cursor === undefined ? this.#key : `${this.#key}/cursor=${nameOf(cursor)}`;
  }

  #message(received: Received | undefined): Message<Out> | undefined {
    return received && new ReceivedMessage(this.name, received, this.#codec);
  }

  /** On a connection of its own. */
  async #apart<T>(run: (link: Link) => Promise<T>): Promise<T> {
    const { reads } = this.#around;
    const link = reads.borrow();
    let clean = false;
    try {
      const answer = await run(link);
      clean = true;
      return answer;
    } finally {
      reads.giveBack(link, clean);
    }
  }
}

function exptimeOf(expiresInMs: number | undefined): number {
  if (expiresInMs === undefined) return 0;
  if (!(expiresInMs > 0) || !Number.isFinite(expiresInMs)) {
    throw new QueueError('BAD_ARGUMENT', `expiresInMs is a number above 0, not ${expiresInMs}`);
  }
  const seconds = Math.ceil(expiresInMs / 1000);
  return seconds <= RELATIVE_SECONDS_MAX ? seconds : Math.ceil((Date.now() + expiresInMs) / 1000);
}
