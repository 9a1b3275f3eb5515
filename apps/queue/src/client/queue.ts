/** One queue of a server. */
import { type Asker, ask } from './ask.ts';
import type { Codec } from './codec.ts';
import { Consumer } from './consumer.ts';
import { QueueError } from './errors.ts';
import { Holding } from './holding.ts';
import type { Link } from './link.ts';
import { type Message, type OpenMessage, type Received, ReceivedMessage } from './message.ts';
import type { CallOptions } from './options.ts';
import { isWord, nameOf } from './questions/line.ts';
import {
  deleteQuestion,
  flushQuestion,
  pauseQuestion,
  queuesQuestion,
  redriveQuestion,
  settingsQuestion,
} from './questions/management.ts';
import { configureQuestion, encoded, type PutReceipt, putQuestion } from './questions/puts.ts';
import { batchQuestion, readQuestion } from './questions/reads.ts';
import type { ReadLinks } from './read-links.ts';
import { type QueueStats, queueStatsOf } from './stats.ts';

export interface PutOptions extends CallOptions {
  /** It expires after so long; the server counts in seconds, so up to the next one. */
  readonly expiresInMs?: number;
  /** 32 bits of the program's; default the codec's. */
  readonly flags?: number;
  /** Ready so much later, behind all that is there then. */
  readonly delayMs?: number;
  /** 0 is read first, 9 last. Default 5. */
  readonly priority?: number;
  /** Stored once within the queue's window: up to 64 characters of ASCII. */
  readonly id?: string;
  /** The answer waits for the device, whatever the server's `sync` says. */
  readonly sync?: boolean;
}

export interface ReadOptions extends CallOptions {
  /** How long to wait for a message when there is none. Default 0. */
  readonly waitMs?: number;
  /** Reads from this cursor: the queue keeps the message for its own readers. */
  readonly cursor?: string;
}

export interface BatchOptions extends CallOptions {
  readonly cursor?: string;
}

export interface RedriveOptions extends CallOptions {
  /** Default: where each came from. */
  readonly to?: string;
  /** Default: all. */
  readonly count?: number;
  readonly onProgress?: (moved: number) => void;
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
/** Messages of one step: as many as a server takes by default (`max_batch`). */
const REDRIVE_STEP = 1000;
/** Ten digits. */
const WAIT_MAX_MS = 9_999_999_999;
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
   * Puts a message at the tail; resolves when it is kept as the server's `sync` says. Don't change its bytes before. A put
   * whose answer was lost is `OUTCOME_UNKNOWN`, and is not repeated; with an `id` it is, and stored once.
   */
  put(value: In, options: PutOptions = {}): Promise<PutReceipt> {
    const { link, asker } = this.#around;
    return ask(link, putQuestion(this.#putRequest(value, options)), asker, options);
  }

  /** Puts them in order, in as few writes as can be. Rejects with the first failure, when the fate of each is known. */
  async putBatch(values: Iterable<In>, options: Omit<PutOptions, 'id'> = {}): Promise<PutReceipt[]> {
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
    const waitMs = waitOf(options.waitMs);
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

  /**
   * Takes up to `count` messages that are there, as one request. It may give fewer although there are more (the server
   * bounds its replies), but none only if there is none.
   */
  async getBatch(count: number, options: BatchOptions = {}): Promise<Message<Out>[]> {
    const { link, asker } = this.#around;
    const question = batchQuestion(this.#readKey(options), batchOf(count));
    const received = await ask(link, question, asker, options);
    return received.map((one) => new ReceivedMessage(this.name, one, this.#codec));
  }

  /** Shows the message at the head and leaves it. */
  async peek(options: ReadOptions = {}): Promise<Message<Out> | undefined> {
    const waitMs = waitOf(options.waitMs);
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
    return (await this.openBatch(1, options))[0];
  }

  /** Opens up to `count` messages, and waits for the first. */
  async openBatch(count: number, options: ReadOptions = {}): Promise<OpenMessage<Out>[]> {
    const { reads, asker } = this.#around;
    const batch = batchOf(count);
    const waitMs = waitOf(options.waitMs);
    const link = reads.borrow();
    const holding = new Holding(link, this.#readKey(options), asker);
    let received: readonly Received[];
    try {
      received = await holding.open(batch, waitMs, options);
    } catch (error) {
      reads.giveBack(link, false);
      throw error;
    }
    let open = received.length;
    if (open === 0) reads.giveBack(link, true);
    const onSettled = (): void => {
      if (--open === 0) void link.idle().then(() => reads.giveBack(link, true));
    };
    return received.map(
      (one) => new ReceivedMessage(this.name, one, this.#codec, holding.hold(one, onSettled)),
    );
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
    waitOf(options.idleMs);
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
    // A name that can't stand in a line is looked for among all.
    const question = queuesQuestion(isWord(this.#key) ? [this.#key] : []);
    const queues = await ask(link, question, asker, options);
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

  /** Reads find nothing until it is resumed; puts go on. */
  async pause(options?: CallOptions): Promise<void> {
    await ask(this.#around.link, pauseQuestion(this.#key, true), this.#around.asker, options);
  }

  async resume(options?: CallOptions): Promise<void> {
    await ask(this.#around.link, pauseQuestion(this.#key, false), this.#around.asker, options);
  }

  /**
   * Puts dead letters back to the queues where they came from; with `to`, moves messages to that queue, wherever they came
   * from. Those that are there, but no more than `count`. Resolves to how many moved.
   */
  async redrive(options: RedriveOptions = {}): Promise<number> {
    const { to, count = Number.POSITIVE_INFINITY, onProgress } = options;
    const target = to === undefined ? undefined : nameOf(to);
    let moved = 0;
    while (moved < count) {
      const question = redriveQuestion(this.#key, Math.min(REDRIVE_STEP, count - moved), target);
      const step = await ask(this.#around.link, question, this.#around.asker, options);
      if (step === 0) break;
      moved += step;
      onProgress?.(moved);
    }
    return moved;
  }

  /** Those in force, under their names in the settings file; undefined if there is no such queue. */
  settings(options?: CallOptions): Promise<Record<string, unknown> | undefined> {
    return ask(this.#around.link, settingsQuestion(this.#key), this.#around.asker, options);
  }

  /** Changes settings of this queue, all or none; they are kept with it. Null takes one back to what the file says. */
  async configure(settings: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<void> {
    await ask(this.#around.link, configureQuestion(this.#key, settings), this.#around.asker, options);
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
    const { expiresInMs, flags = this.#codec.flags, sync, delayMs = 0, priority, id } = options;
    if (!(delayMs >= 0) || !Number.isFinite(delayMs)) {
      throw new QueueError('BAD_ARGUMENT', `delayMs is a number from 0 up, not ${delayMs}`);
    }
    if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 9)) {
      throw new QueueError('BAD_ARGUMENT', `a priority is 0 to 9, not ${priority}`);
    }
    // It is written as it is: no other program may see another one.
    if (id !== undefined && !/^[\x21-\x7e]{1,64}$/.test(id)) {
      throw new QueueError('BAD_ARGUMENT', 'an id has 1 to 64 characters of ASCII, without spaces');
    }
    if (!Number.isInteger(flags) || flags < 0 || flags > 0xffff_ffff) {
      throw new QueueError('BAD_ARGUMENT', `flags are 0 to 4294967295, not ${flags}`);
    }
    return {
      key: sync ? `${this.#key}/sync` : this.#key,
      flags,
      exptime: exptimeOf(expiresInMs),
      delayMs: Math.ceil(delayMs),
      priority,
      id,
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

/** What is longer the server would take for a part of the name. */
function waitOf(waitMs = 0): number {
  if (waitMs <= WAIT_MAX_MS) return Math.max(0, waitMs);
  throw new QueueError('BAD_ARGUMENT', `a wait has ${WAIT_MAX_MS} ms at most, and not ${waitMs}`);
}

function batchOf(count: number): number {
  if (Number.isInteger(count) && count >= 1) return count;
  throw new QueueError('BAD_ARGUMENT', 'a batch is a whole number from 1 up');
}
