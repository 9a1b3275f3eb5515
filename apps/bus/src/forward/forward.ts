/** `rookery-bus forward`: what comes to a group is put into a queue, each message until the queue has said that it has it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '@rookery/service';
import { openQueueLink, type PutOutcome, type QueueLink } from './queue-link.ts';

export interface ForwardedMessage {
  readonly data: Uint8Array;
  /** What a queue may know it by when it comes again, also after a restart; none: one of this run. */
  readonly id: string | undefined;
}

/** Where the source goes on behind what was read, kept so that a restart goes on there. */
export interface Place {
  /** Behind the message that was read last; undefined where that isn't known. */
  readonly cursor: () => string | undefined;
  readonly store: (cursor: string) => Promise<void>;
}

export interface ForwardOptions {
  readonly address: Address;
  readonly queue: string;
  readonly tell: (text: string) => void;
  readonly place?: Place | undefined;
}

export interface ForwardCounts {
  stored: number;
  /** Sent again, after a break or as the queue was full. */
  repeated: number;
  refused: number;
}

/** On their way at most. Enough for 20 MB/s at 50 ms, and what is sent again after a break. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_MESSAGES = 1024;
/** A full queue is asked again so often: it empties at its readers' pace. */
const FULL_MS = 200;
/** So long after a refusal messages go one by one: what is behind one that is refused may be taken, and comes before it. */
const CALM_MS = 1000;
/** What a restart sends again at most, beside what is on its way. */
const PLACE_MS = 200;
const RETRY_MS = 100;
const RETRY_MAX_MS = 5000;
/** At the end the queue has so long to answer. */
const LAST_ANSWERS_MS = 2000;

interface Item {
  readonly data: Uint8Array;
  readonly number: number;
  readonly id: string;
  sent: boolean;
}

function byNumber(a: Item, b: Item): number {
  return a.number - b.number;
}

/** Carries messages until there are no more, or the signal is given. What it hasn't sent it doesn't read. */
export async function forward(
  messages: AsyncIterable<ForwardedMessage>,
  options: ForwardOptions,
  signal: AbortSignal,
): Promise<ForwardCounts> {
  const forwarder = new Forwarder(options, signal);
  void forwarder.connect();
  try {
    for await (const message of messages) {
      await forwarder.room();
      if (signal.aborted) break;
      forwarder.add(message);
    }
    await forwarder.drained(AbortSignal.timeout(LAST_ANSWERS_MS));
  } finally {
    forwarder.close();
  }
  return forwarder.counts;
}

class Forwarder {
  readonly counts: ForwardCounts = { stored: 0, repeated: 0, refused: 0 };
  readonly #options: ForwardOptions;
  readonly #signal: AbortSignal;
  /** Without an answer, in order. */
  readonly #pending = new Set<Item>();
  /** Those of them that are to be sent, in order. */
  #waiting: Item[] = [];
  #onWay = 0;
  #fullAt = Number.NEGATIVE_INFINITY;
  #toldFull = false;
  #bytes = 0;
  #link: QueueLink | undefined;
  #over = false;
  #mark: { readonly through: number; readonly cursor: string; storing: boolean } | undefined;
  #storedAt = Number.NEGATIVE_INFINITY;
  #number = 0;
  /** Of this run: what is sent twice is known by it. */
  readonly #run = randomBytes(12).toString('base64url');
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(options: ForwardOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#change(), { once: true });
  }

  async room(): Promise<void> {
    while ((this.#bytes >= WINDOW_BYTES || this.#pending.size >= WINDOW_MESSAGES) && !this.#signal.aborted) {
      await this.#changed.promise;
    }
  }

  async drained(until: AbortSignal): Promise<void> {
    until.addEventListener('abort', () => this.#change(), { once: true });
    while ((this.#pending.size > 0 || this.#mark !== undefined) && !until.aborted)
      await this.#changed.promise;
  }

  add({ data, id }: ForwardedMessage): void {
    const number = ++this.#number;
    // A copy: it shares memory with what else arrived then.
    const item: Item = {
      data: Uint8Array.from(data),
      number,
      id: id ?? `${this.#run}-${number}`,
      sent: false,
    };
    this.#pending.add(item);
    this.#markPlace();
    this.#bytes += data.length;
    this.#waiting.push(item);
    this.#sendSome();
  }

  async connect(): Promise<void> {
    const { address, queue, tell } = this.#options;
    for (let waitMs = RETRY_MS, told = false; !this.#over; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        this.#link = await openQueueLink(address, queue);
      } catch (error) {
        if (!told) tell(`the queue can't be reached (${(error as Error).message}); trying until it is there`);
        told = true;
        await delay(waitMs * Math.random());
        continue;
      }
      if (this.#over) break;
      if (told) tell('the queue is there again');
      this.#onWay = 0;
      this.#waiting = [...this.#pending];
      this.#sendSome();
      return;
    }
    this.#link?.close();
  }

  close(): void {
    this.#over = true;
    this.#link?.close();
  }

  #sendSome(): void {
    const sinceFullMs = performance.now() - this.#fullAt;
    if (this.#link === undefined || this.#over || sinceFullMs < FULL_MS) return;
    const most = sinceFullMs < CALM_MS ? 1 : WINDOW_MESSAGES;
    while (this.#onWay < most && this.#waiting.length > 0) this.#send(this.#waiting.shift()!, this.#link);
  }

  #send(item: Item, link: QueueLink): void {
    if (item.sent) this.counts.repeated++;
    item.sent = true;
    this.#onWay++;
    link.put(item.data, item.id).then(
      (outcome) => {
        if (this.#link === link) this.#onAnswer(item, outcome);
      },
      () => this.#onBroken(link),
    );
  }

  #onAnswer(item: Item, outcome: PutOutcome): void {
    const { tell } = this.#options;
    this.#onWay--;
    if (outcome === 'full') {
      this.#fullAt = performance.now();
      this.#waiting.push(item);
      this.#waiting.sort(byNumber);
      if (!this.#toldFull) tell('the queue is full; what comes waits');
      this.#toldFull = true;
      // Not before all that was on its way has its answer: `sendSome` lets one go at a time.
      setTimeout(() => this.#sendSome(), FULL_MS + 1);
      return;
    }
    this.#pending.delete(item);
    this.#bytes -= item.data.length;
    if (outcome === 'stored') this.counts.stored++;
    else {
      this.counts.refused++;
      tell(`the queue refused a message of ${item.data.length} bytes: ${outcome.refused}`);
    }
    if (this.#toldFull && performance.now() - this.#fullAt >= CALM_MS) {
      this.#toldFull = false;
      tell('the queue has room again');
    }
    this.#sendSome();
    this.#change();
  }

  /** All that had no answer goes out again, in order. */
  #onBroken(link: QueueLink): void {
    if (this.#link !== link || this.#over) return;
    link.close();
    this.#link = undefined;
    void this.connect();
  }

  /** Now and then, and not before the last place is stored: a cursor costs more than a message. */
  #markPlace(): void {
    const { place } = this.#options;
    if (place === undefined || this.#mark !== undefined || performance.now() - this.#storedAt < PLACE_MS)
      return;
    const cursor = place.cursor();
    if (cursor !== undefined) this.#mark = { through: this.#number, cursor, storing: false };
  }

  /** A place is stored when the queue has all that is before it. */
  #storePlace(): void {
    const mark = this.#mark;
    const [first] = this.#pending;
    if (mark === undefined || mark.storing || (first !== undefined && first.number <= mark.through)) return;
    mark.storing = true;
    this.#options.place!.store(mark.cursor).then(
      () => this.#placeStored(),
      (error: Error) => {
        this.#options.tell(`the place can't be stored (${error.message}): after a restart more comes again`);
        this.#placeStored();
      },
    );
  }

  #placeStored(): void {
    this.#mark = undefined;
    this.#storedAt = performance.now();
    this.#change();
  }

  #change(): void {
    this.#storePlace();
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
