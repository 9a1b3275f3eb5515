import type { Message, MessageProperties, StoredQueue } from '../store/store.ts';
import { Reader, type Source } from './reader.ts';
import type { QueueSettings } from './settings.ts';
import type { WindowBudget } from './window.ts';

/** `full`: over a limit of the queue. `too-large`: over its item size. */
export type PutOutcome = 'stored' | 'full' | 'too-large';

/** What a queue needs of those around it. */
export interface QueueSurroundings {
  readonly windowBudget: WindowBudget;
  /** Moves an expired message to the queue of that name, as one change. @throws StoreError */
  moveExpired(from: Queue, message: Message, to: string, now: number): void;
}

/**
 * One queue: its order, its limits, what expires. It knows neither sockets nor time: every call that needs a clock is
 * given `now`, in milliseconds since the Unix epoch.
 */
export class Queue implements Source {
  readonly name: string;
  readonly stored: StoredQueue;
  readonly reader: Reader;
  readonly createdAt: number;
  lastUsedAt: number;
  putTotal = 0;
  expiredTotal = 0;
  discardedTotal = 0;
  refusedTotal = 0;
  flushedTotal = 0;
  deliveredTotal = 0;
  #settings: QueueSettings;
  readonly #surroundings: QueueSurroundings;
  /** Expired messages that could not be moved for want of space; they are tried again at the next sweep. */
  #stranded: Message[] = [];
  /** What was the head when the window was let go of, and where the window ended then: so long it still is. */
  #evictedHead: { readonly message: MessageProperties; readonly windowEnd: number } | undefined;

  constructor(
    stored: StoredQueue,
    settings: QueueSettings,
    createdAt: number,
    now: number,
    surroundings: QueueSurroundings,
  ) {
    this.name = stored.name;
    this.stored = stored;
    this.createdAt = createdAt;
    this.lastUsedAt = now;
    this.#settings = settings;
    this.#surroundings = surroundings;
    // A queue found with nothing in it need not be read before the first miss is answered.
    const windowEnd = stored.count === 0 ? stored.lastSequence : 0;
    this.reader = new Reader(this, settings.maxMemoryBytes, windowEnd, surroundings.windowBudget);
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  set settings(settings: QueueSettings) {
    this.#settings = settings;
    this.reader.maxWindowBytes = settings.maxMemoryBytes;
    this.reader.setOpenReadTimeout(settings.openReadTimeoutMs);
  }

  get lastSequence(): number {
    return this.stored.lastSequence;
  }

  /** Messages waiting or open. */
  get items(): number {
    return this.stored.count;
  }

  get bodyBytes(): number {
    return this.stored.bodyBytes;
  }

  /** Why a body of this size would be refused, or undefined. */
  refusal(bytes: number): Exclude<PutOutcome, 'stored'> | undefined {
    const settings = this.#settings;
    if (bytes > settings.maxItemBytes) return 'too-large';
    if (!this.#isOver(1, bytes)) return undefined;
    // No discarding makes room for this one.
    if (bytes > settings.maxBytes || settings.maxItems < 1) return 'full';
    // Open reads can't be discarded, so a queue that has nothing else is really full.
    const discardable = this.reader.windowSize > 0 || this.reader.behind;
    return settings.discardOldest && discardable ? undefined : 'full';
  }

  // hot:
  /** @throws StoreError */
  put(
    now: number,
    flags: number,
    expiresAt: number,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): PutOutcome {
    const refusal = this.refusal(end - start);
    if (refusal !== undefined) {
      this.refusedTotal += 1;
      return refusal;
    }
    this.arrived(this.stored.append({ flags, addedAt: now, expiresAt }, buffer, start, end), now);
    return 'stored';
  }

  /** A message that the store has already taken. */
  arrived(message: Message, now: number): void {
    this.putTotal += 1;
    this.lastUsedAt = now;
    this.reader.arrived(message, now);
    if (this.#settings.discardOldest) this.#discardOverflow();
  }

  acknowledge(message: Message): void {
    this.stored.acknowledge(message);
  }

  // hot:
  pass(message: Message, now: number): boolean {
    if (!this.isExpired(message, now)) return false;
    const target = this.#settings.expireToQueue;
    if (target === undefined || target === this.name) this.stored.acknowledge(message);
    else {
      try {
        this.#surroundings.moveExpired(this, message, target, now);
      } catch (error) {
        // So many wait already: who reads is told, and the queue stays as it is.
        if (this.#stranded.length >= strandedMax) throw error;
        this.#stranded.push(message);
        return true;
      }
    }
    this.expiredTotal += 1;
    return true;
  }

  isExpired(message: MessageProperties, now: number): boolean {
    const { maxAgeMs } = this.#settings;
    return (
      (message.expiresAt !== 0 && message.expiresAt <= now) ||
      (maxAgeMs !== 0 && message.addedAt + maxAgeMs <= now)
    );
  }

  /** Expires what is due at the head, at most `limit` messages; returns how many went. @throws StoreError */
  expire(now: number, limit: number): number {
    if (this.#stranded.length > 0) {
      const stranded = this.#stranded;
      this.#stranded = [];
      // Back in their places: the settings may have changed, and then they have not expired.
      for (const message of stranded) this.reader.putBack(message);
    }
    return this.reader.sweep(now, limit);
  }

  /**
   * Whether the head is in the store only and is due, so that it must be loaded to expire or to be discarded;
   * `unknown` after a restart, when nobody has looked yet.
   */
  headIsDue(now: number): boolean | 'unknown' {
    const { reader } = this;
    if (reader.windowSize > 0 || reader.loading || !reader.behind || this.items === 0) return false;
    if (this.overflows) return true;
    const head = this.#evictedHead;
    return head?.windowEnd === reader.windowEnd ? this.isExpired(head.message, now) : 'unknown';
  }

  /** Drops everything, open reads included. @throws StoreError */
  flush(): void {
    // With nothing in it there is nothing to write, so that one flush of all after the other costs little.
    if (this.stored.count > 0) this.stored.purge();
    this.#stranded = [];
    this.reader.purged();
    this.flushedTotal += 1;
  }

  remove(): void {
    this.stored.remove();
    this.#stranded = [];
    this.reader.removed();
  }

  /** See `Reader.evict`. A message that waits to be moved must not be read a second time meanwhile. */
  evict(): void {
    const { oldest } = this.reader;
    if (this.#stranded.length > 0 || oldest === undefined) return;
    this.reader.evict();
    const { flags, addedAt, expiresAt } = oldest;
    this.#evictedHead = { message: { flags, addedAt, expiresAt }, windowEnd: this.reader.windowEnd };
  }

  isIdle(now: number): boolean {
    return (
      this.#settings.deleteWhenIdleMs > 0 &&
      this.items === 0 &&
      this.reader.waiters.size === 0 &&
      now - this.lastUsedAt >= this.#settings.deleteWhenIdleMs
    );
  }

  /** Over its limits, and what it should discard is in the store only. */
  get overflows(): boolean {
    return this.#settings.discardOldest && this.reader.windowSize === 0 && this.#isOver(0, 0);
  }

  /** Called when messages were loaded: what was over the limit then can be discarded now. */
  discardOverflowAfterLoad(): void {
    if (this.#settings.discardOldest) this.#discardOverflow();
  }

  #isOver(items: number, bytes: number): boolean {
    return (
      this.stored.count + items > this.#settings.maxItems ||
      this.stored.bodyBytes + bytes > this.#settings.maxBytes
    );
  }

  #discardOverflow(): void {
    while (this.#isOver(0, 0)) {
      const oldest = this.reader.takeOldest();
      if (oldest === undefined) return;
      // The newest was acknowledged to its writer: where open reads fill the queue, it stays all the same.
      if (oldest.sequence === this.lastSequence) {
        this.reader.putBack(oldest);
        return;
      }
      try {
        this.stored.acknowledge(oldest);
      } catch {
        // The newest is kept whatever happens to the oldest, and its writer is told so; the next put tries again.
        this.reader.putBack(oldest);
        return;
      }
      this.discardedTotal += 1;
    }
  }
}

/** Messages, with their bodies, that may wait in memory to be moved. */
const strandedMax = 1000;
