import {
  type Message,
  type MessageProperties,
  nothingCarried,
  ordinaryPriority,
  type StoredLane,
  type StoredQueue,
} from '../store/store.ts';
import { Delays, plain, readyProperties } from './delays/delays.ts';
import { createIdWindow, type IdWindow } from './id-window.ts';
import type { Lane } from './lane.ts';
import { Reader, type Source } from './reader.ts';
import type { QueueSettings } from './settings.ts';
import type { WindowBudget } from './window.ts';

/** `full`: over a limit of the queue. `too-large`: over its item size. `duplicate`: its id is known, it is not stored. */
export type PutOutcome = 'stored' | 'full' | 'too-large' | 'duplicate';

/** What few puts ask for. */
export interface PutOptions {
  /** Ready so many milliseconds from now; 0: at once. */
  readonly delayMs: number;
  /** 0 to 9, 0 is read first. */
  readonly priority: number;
  readonly id: string | undefined;
}

/** What a queue needs of those around it. */
export interface QueueSurroundings {
  readonly windowBudget: WindowBudget;
  /** Moves a message to the main lane of the queue of that name, as one change. @throws StoreError, BrokerError */
  moveTo(name: string, message: Message, properties: MessageProperties, now: number): void;
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
  duplicateTotal = 0;
  deadTotal = 0;
  #settings: QueueSettings;
  readonly #surroundings: QueueSurroundings;
  #delays: Delays | undefined;
  #ids: IdWindow | undefined;
  /** By priority; the main lane is not among them. Undefined while there are none, as mostly. */
  #lanes: Map<number, StoredLane> | undefined;
  /** Of the lanes, the one of the newest message. */
  #newestIn: StoredLane | undefined;
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
    const windowEnd = stored.main.count === 0 ? stored.main.lastSequence : 0;
    this.reader = new Reader(
      this,
      settings.maxMemoryBytes,
      windowEnd,
      surroundings.windowBudget,
      stored.main,
    );
    this.reader.paused = settings.paused;
    for (const [name, lane] of stored.lanes) {
      if (/^p\d$/.test(name)) this.#adoptLane(Number(name[1]), lane);
      else this.#delays ??= new Delays(stored);
    }
    if (stored.foundIds.length > 0) this.#ids = createIdWindow(stored.foundIds, () => this.#settings);
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  set settings(settings: QueueSettings) {
    // Who was given more time keeps it through changes of something else.
    if (settings.openReadTimeoutMs !== this.#settings.openReadTimeoutMs) {
      this.reader.setOpenReadTimeout(settings.openReadTimeoutMs);
    }
    this.#settings = settings;
    this.reader.maxWindowBytes = settings.maxMemoryBytes;
    this.reader.paused = settings.paused;
  }

  get lastSequence(): number {
    return this.stored.main.lastSequence;
  }

  get openReadTimeoutMs(): number {
    return this.#settings.openReadTimeoutMs;
  }

  /** Messages waiting, open or delayed. */
  get items(): number {
    return this.stored.main.count + this.#beside((lane) => lane.count);
  }

  get bodyBytes(): number {
    return this.stored.main.bodyBytes + this.#beside((lane) => lane.bodyBytes);
  }

  get delayedItems(): number {
    return this.#delays?.count ?? 0;
  }

  /** When the message that waits longest came, as far as is known without reading the store; 0 if it isn't. */
  get oldestAddedAt(): number {
    const { reader } = this;
    if (reader.windowSize > 0 || this.stored.main.count === 0) return reader.oldestAddedAt;
    const head = this.#evictedHead;
    return head?.windowEnd === reader.windowEnd ? head.message.addedAt : 0;
  }

  /** Undefined while there never were any. */
  get delays(): Delays | undefined {
    return this.#delays;
  }

  /** Messages of other priorities than the ordinary are ready or open. */
  get hasOtherPriorities(): boolean {
    if (this.#lanes === undefined) return false;
    for (const lane of this.#lanes.values()) if (lane.count > 0) return true;
    return false;
  }

  #beside(figure: (lane: StoredLane | Delays) => number): number {
    let sum = this.#delays === undefined ? 0 : figure(this.#delays);
    if (this.#lanes !== undefined) for (const lane of this.#lanes.values()) sum += figure(lane);
    return sum;
  }

  /** Why a body of this size would be refused, or undefined. */
  refusal(bytes: number): Exclude<PutOutcome, 'stored'> | undefined {
    const settings = this.#settings;
    if (bytes > settings.maxItemBytes) return 'too-large';
    if (!this.#isOver(1, bytes)) return undefined;
    // No discarding makes room for this one; what is delayed stays.
    const delayed = this.#delays;
    if (bytes + (delayed?.bodyBytes ?? 0) > settings.maxBytes) return 'full';
    if (1 + (delayed?.count ?? 0) > settings.maxItems) return 'full';
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
    options?: PutOptions,
  ): PutOutcome {
    if (options !== undefined && this.knows(options, now)) return 'duplicate';
    const refusal = this.refusal(end - start);
    if (refusal !== undefined) {
      this.refusedTotal += 1;
      return refusal;
    }
    const properties = { flags, addedAt: now, expiresAt };
    this.arrived(this.store(properties, buffer, start, end, options), now);
    return 'stored';
  }

  /** Whether a put with this id would be stored a second time. */
  knows({ id }: PutOptions, now: number): boolean {
    if (id === undefined || this.#ids?.has(id, now) !== true) return false;
    this.duplicateTotal += 1;
    this.lastUsedAt = now;
    return true;
  }

  /** Keeps a message, of which nobody knows until `arrived`. @throws StoreError */
  store(
    properties: MessageProperties,
    buffer: Uint8Array,
    start: number,
    end: number,
    options?: PutOptions,
  ): Message {
    if (options === undefined) return this.stored.main.append(properties, buffer, start, end);
    const { addedAt } = properties;
    const { delayMs, priority, id } = options;
    const dueAt = delayMs > 0 ? addedAt + delayMs : 0;
    const identified = id !== undefined && this.#settings.deduplicationWindowMs > 0;
    const carried = plain({ ...nothingCarried, dueAt, priority, id, identified });
    const carrying = { ...properties, carried };
    if (dueAt === 0) return this.#laneFor(priority).append(carrying, buffer, start, end);
    this.#delays ??= new Delays(this.stored);
    return this.#delays.put(addedAt, carrying, buffer, start, end);
  }

  /** Takes back what was stored and nobody knows of. */
  unstore(message: Message): void {
    if (message.carried?.identified) this.stored.forgetId(this.stored.lastIdMark);
    message.lane.acknowledge(message);
  }

  /** A message that the store has already taken. */
  arrived(message: Message, now: number): void {
    this.putTotal += 1;
    this.lastUsedAt = now;
    const { carried } = message;
    if (carried !== undefined) {
      if (carried.identified) this.#remember(carried.id!, now);
      if (carried.dueAt !== 0) {
        // It counts already, and what is ready makes room for it.
        this.#newestIn = message.lane;
        if (this.#settings.discardOldest) this.#discardOverflow();
        return;
      }
    }
    this.#enter(message, now);
  }

  /** A message that has come from another queue, by one move of the store. */
  cameOver(message: Message, now: number): void {
    this.putTotal += 1;
    this.lastUsedAt = now;
    this.#enter(message, now);
  }

  #enter(message: Message, now: number): void {
    this.#newestIn = message.lane;
    this.reader.arrived(message, now);
    if (this.#settings.discardOldest) this.#discardOverflow();
  }

  #remember(id: string, now: number): void {
    this.#ids ??= createIdWindow(this.stored.foundIds, () => this.#settings);
    this.#ids.add({ id, at: now, mark: this.stored.lastIdMark });
  }

  /** Lets go of ids that have left the window. @throws StoreError */
  trimIds(now: number): void {
    if (this.#ids === undefined) return;
    const mark = this.#ids.trim(now);
    if (mark > 0) this.stored.forgetIdsThrough(mark);
  }

  #laneFor(priority: number): StoredLane {
    if (priority === ordinaryPriority) return this.stored.main;
    const lane = this.#lanes?.get(priority) ?? this.stored.lanes.get(`p${priority}`);
    return lane ?? this.#adoptLane(priority, this.stored.createLane(`p${priority}`));
  }

  #adoptLane(priority: number, lane: StoredLane): StoredLane {
    this.#lanes ??= new Map();
    this.#lanes.set(priority, lane);
    const order = ({ stored }: Lane): number => {
      for (const [at, known] of this.#lanes!) if (known === stored) return at;
      return ordinaryPriority;
    };
    this.reader.addLane(lane, order, lane.count === 0 ? lane.lastSequence : 0);
    return lane;
  }

  /**
   * A delayed message whose time has come goes to the end of its lane. @throws StoreError, and then it is where it was
   */
  becomeReady(message: Message, now: number): void {
    if (message.lane.isAcknowledged(message.sequence)) return;
    const lane = this.#laneFor(message.carried?.priority ?? ordinaryPriority);
    this.#enter(lane.moveFrom(message, readyProperties(message)), now);
  }

  /** Puts a message that was open into the delayed ones, or where dead letters go. @throws StoreError */
  delay(message: Message, delayMs: number, now: number): void {
    const returns = Math.min(255, message.lane.returnsOf(message) + 1);
    if (this.#isDead(returns)) {
      this.bury(message, now);
      return;
    }
    this.#delays ??= new Delays(this.stored);
    const carried = { ...nothingCarried, ...message.carried, returns, dueAt: now + delayMs };
    const { flags, addedAt, expiresAt } = message;
    this.#delays.move(now, message, { flags, addedAt, expiresAt, carried });
  }

  comesBack(message: Message, now: number): boolean {
    try {
      if (!this.#isDead(message.lane.countReturn(message))) return true;
      this.bury(message, now);
      return false;
    } catch {
      // The store can't take it now: it is delivered once more than it should be, and never lost.
      return true;
    }
  }

  #isDead(returns: number): boolean {
    const { maxDeliveries, deadLetterQueue } = this.#settings;
    return maxDeliveries > 0 && returns >= maxDeliveries && deadLetterQueue !== this.name;
  }

  /** False: this queue is its own dead letter queue. @throws StoreError, BrokerError */
  bury(message: Message, now: number): boolean {
    const { deadLetterQueue } = this.#settings;
    if (deadLetterQueue === this.name) return false;
    if (deadLetterQueue === undefined) message.lane.acknowledge(message);
    else {
      const { flags, carried = nothingCarried } = message;
      const { priority, id } = carried;
      const letter = { ...nothingCarried, priority, id, origin: this.name };
      this.#surroundings.moveTo(
        deadLetterQueue,
        message,
        { flags, addedAt: now, expiresAt: 0, carried: letter },
        now,
      );
    }
    this.deadTotal += 1;
    return true;
  }

  /** Takes in a message of another queue, at the end of its priority. @throws StoreError */
  takeOver(message: Message, now: number): void {
    const { flags, expiresAt, carried = nothingCarried } = message;
    const { priority, id } = carried;
    const properties = {
      flags,
      addedAt: now,
      expiresAt,
      carried: plain({ ...nothingCarried, priority, id }),
    };
    this.cameOver(this.#laneFor(priority).moveFrom(message, properties), now);
  }

  acknowledge(message: Message): void {
    message.lane.acknowledge(message);
  }

  // hot:
  pass(message: Message, now: number): boolean {
    if (!this.isExpired(message, now)) return false;
    const target = this.#settings.expireToQueue;
    if (target === undefined || target === this.name) message.lane.acknowledge(message);
    else {
      const { flags, carried } = message;
      const left = carried && plain({ ...carried, returns: 0, identified: false });
      try {
        this.#surroundings.moveTo(target, message, { flags, addedAt: now, expiresAt: 0, carried: left }, now);
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
    if (reader.loading || !reader.behind || this.items === 0) return false;
    if (reader.windowSize > 0) return reader.hasUnseenLane ? 'unknown' : false;
    if (this.overflows) return true;
    if (reader.hasUnseenLane) return 'unknown';
    const head = this.#evictedHead;
    return head?.windowEnd === reader.windowEnd ? this.isExpired(head.message, now) : 'unknown';
  }

  /** Drops everything, open reads included. @throws StoreError */
  flush(): void {
    // With nothing in it there is nothing to write, so that one flush of all after the other costs little.
    if (this.stored.main.count > 0) this.stored.main.purge();
    if (this.#lanes !== undefined) for (const lane of this.#lanes.values()) if (lane.count > 0) lane.purge();
    this.#delays?.purge();
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
    const { maxItems, maxBytes } = this.#settings;
    return (
      (maxItems !== Number.POSITIVE_INFINITY && this.items + items > maxItems) ||
      (maxBytes !== Number.POSITIVE_INFINITY && this.bodyBytes + bytes > maxBytes)
    );
  }

  #discardOverflow(): void {
    // The newest was acknowledged to its writer: where open reads fill the queue, it stays all the same.
    const newest = this.#newestIn ?? this.stored.main;
    const spare = ({ lane, sequence }: Message): boolean =>
      lane === newest && sequence === newest.lastSequence;
    while (this.#isOver(0, 0)) {
      const oldest = this.reader.takeLeast(spare);
      if (oldest === undefined) return;
      try {
        oldest.lane.acknowledge(oldest);
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
