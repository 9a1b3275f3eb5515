import type { Message, StoredLane } from '../store/store.ts';
import { Lane } from './lane.ts';
import { OpenReads } from './open-reads.ts';
import type { WindowBudget } from './window.ts';

/** Where a reader gets its messages: a queue, or for a cursor the queue it runs along. */
export interface Source {
  /** Sequence of the newest message. */
  readonly lastSequence: number;
  /** After which an open read goes back; 0: never. */
  readonly openReadTimeoutMs: number;
  /** Remembers that this reader has done with the message. @throws StoreError */
  acknowledge(message: Message): void;
  /**
   * Whether the message must not be delivered (it expired, or is gone). If so the source has dealt with it.
   * @throws StoreError
   */
  pass(message: Message, now: number): boolean;
  /** A message comes back from somebody who held it. False: the source has dealt with it, it is not ready again. */
  comesBack(message: Message, now: number): boolean;
}

/** A message that somebody holds: acknowledged by `close`, back in its place by `abort`. */
export interface OpenRead {
  readonly reader: Reader;
  readonly message: Message;
  readonly openedAt: number;
  /** Milliseconds since the Unix epoch; 0: none. */
  deadline: number;
  /** False once it was closed, aborted or timed out. */
  held: boolean;
  /** Its neighbours among those of the reader. */
  before: OpenRead | undefined;
  after: OpenRead | undefined;
}

/** Somebody who wants the next message. */
export interface Waiter {
  /** False: wants to know now, and waits only because the store must be read first. */
  readonly patient: boolean;
  /** Leaves the message where it is: it is shown also while the reader is paused. */
  readonly looks?: boolean;
  /** Called once: with a message, without one when there is none, or with why it can't be read. */
  deliver(message: Message | undefined, error?: Error): void;
}

/**
 * Hands out the messages of one queue, or of one cursor, in order: the oldest of its most urgent lane that has any. It
 * does no I/O: when a window runs low and the store has more, `laneToLoad` says so, and the caller reads the store and
 * brings the messages to `loaded`.
 */
export class Reader {
  readonly source: Source;
  readonly openReads: OpenReads = new OpenReads();
  readonly waiters: Set<Waiter> = new Set();
  readonly #main: Lane;
  /** All lanes, most urgent first, the main one among them; undefined while that is the only one, as mostly. */
  #lanes: Lane[] | undefined;
  readonly #budget: WindowBudget;
  /** Nothing is handed to those who wait. */
  paused = false;
  openedTotal = 0;
  abortedTotal = 0;

  constructor(
    source: Source,
    maxWindowBytes: number,
    windowEnd: number,
    budget: WindowBudget,
    main: { readonly lastSequence: number } = source,
  ) {
    this.source = source;
    this.#budget = budget;
    this.#main = new Lane(undefined, main, maxWindowBytes, windowEnd, budget);
  }

  /** Adds a lane that stands before the main one, or behind; `order` of all of them ascends. */
  addLane(stored: StoredLane, order: (lane: Lane) => number, windowEnd: number): void {
    const lane = new Lane(stored, stored, this.#main.maxWindowBytes, windowEnd, this.#budget);
    this.#lanes = [...(this.#lanes ?? [this.#main]), lane].sort((a, b) => order(a) - order(b));
  }

  /** Of the main lane. */
  get windowEnd(): number {
    return this.#main.windowEnd;
  }

  get windowSize(): number {
    return this.#sum((lane) => lane.window.size);
  }

  get windowBytes(): number {
    return this.#sum((lane) => lane.window.bodyBytes);
  }

  set maxWindowBytes(bytes: number) {
    for (const lane of this.#all) lane.maxWindowBytes = bytes;
  }

  get loading(): boolean {
    return this.#lanes === undefined ? this.#main.loading : this.#lanes.some((lane) => lane.loading);
  }

  /** The store holds messages that the windows don't. */
  get behind(): boolean {
    return this.#lanes === undefined ? this.#main.behind : this.#lanes.some((lane) => lane.behind);
  }

  /** The most urgent lane that should be read from the store. */
  get laneToLoad(): Lane | undefined {
    if (this.#lanes !== undefined) return this.#lanes.find((lane) => lane.needsLoad);
    return this.#main.needsLoad ? this.#main : undefined;
  }

  /** The lane that is to be read from the store now, after its `windowEnd`; `loaded` or `loadFailed` must follow. */
  beginLoad(): Lane | undefined {
    const lane = this.laneToLoad;
    if (lane !== undefined) lane.loading = true;
    return lane;
  }

  // hot:
  get needsLoad(): boolean {
    return this.#lanes === undefined ? this.#main.needsLoad : this.laneToLoad !== undefined;
  }

  get #all(): readonly Lane[] {
    return this.#lanes ?? [this.#main];
  }

  #sum(figure: (lane: Lane) => number): number {
    if (this.#lanes === undefined) return figure(this.#main);
    return this.#lanes.reduce((sum, lane) => sum + figure(lane), 0);
  }

  #laneOf(message: Message): Lane {
    if (this.#lanes === undefined) return this.#main;
    return this.#lanes.find((lane) => lane.stored === message.lane) ?? this.#main;
  }

  // hot:
  /** A new message of the source. */
  arrived(message: Message, now: number): void {
    this.#laneOf(message).arrived(message);
    if (this.waiters.size > 0) this.serve(now);
  }

  // hot:
  /** The oldest message that may be delivered; undefined if the window has none (see `behind`). @throws StoreError */
  take(now: number): Message | undefined {
    if (this.#lanes === undefined) return this.#takeFrom(this.#main, now);
    for (const lane of this.#lanes) {
      const message = this.#takeFrom(lane, now);
      // What is on disk goes before what is less urgent: it is to be loaded first.
      if (message !== undefined || lane.behind) return message;
    }
    return undefined;
  }

  #takeFrom(lane: Lane, now: number): Message | undefined {
    for (;;) {
      const message = lane.window.shift();
      if (message === undefined || !this.#passes(lane, message, now)) return message;
    }
  }

  /** The same, left where it is. @throws StoreError */
  peek(now: number): Message | undefined {
    const message = this.take(now);
    if (message !== undefined) this.#laneOf(message).window.putBack(message);
    return message;
  }

  /**
   * The oldest message of the least urgent lane that has any but `spare`, whatever its state, removed from the window
   * and not otherwise dealt with.
   */
  takeLeast(spare: (message: Message) => boolean): Message | undefined {
    const lanes = this.#all;
    for (let at = lanes.length - 1; at >= 0; at -= 1) {
      const { window } = lanes[at]!;
      const first = window.first();
      if (first !== undefined && !spare(first)) return window.shift();
    }
    return undefined;
  }

  /** Whether a message of the main lane that is older than this is ready or open. */
  holdsBefore(sequence: number): boolean {
    const first = this.#main.window.first();
    if (first !== undefined && first.sequence < sequence) return true;
    for (const { message } of this.openReads) if (message.sequence < sequence) return true;
    return false;
  }

  /** Undoes a `take`. */
  putBack(message: Message): void {
    this.#laneOf(message).putBack(message);
  }

  /** What was open has been dealt with otherwise. */
  release(read: OpenRead): void {
    if (!read.held) return;
    read.held = false;
    this.openReads.remove(read);
  }

  /** False for what was flushed while it was open. */
  isCurrent(message: Message): boolean {
    return message.sequence > this.#laneOf(message).purgedThrough;
  }

  open(message: Message, now: number, timeoutMs: number): OpenRead {
    const read: OpenRead = {
      reader: this,
      message,
      openedAt: now,
      deadline: timeoutMs > 0 ? now + timeoutMs : 0,
      held: true,
      before: undefined,
      after: undefined,
    };
    this.openReads.add(read);
    this.openedTotal += 1;
    return read;
  }

  /** Acknowledges. @throws StoreError, and then the read is still held */
  close(read: OpenRead): void {
    this.source.acknowledge(read.message);
    this.release(read);
  }

  /** Gives messages back, to whoever waits: all that come back together before the first is handed out, in order. */
  abort(reads: readonly OpenRead[], now: number): void {
    for (const read of reads) {
      this.release(read);
      this.abortedTotal += 1;
      const { message } = read;
      if (this.isCurrent(message) && this.source.comesBack(message, now)) this.putBack(message);
    }
    if (this.waiters.size > 0) this.serve(now);
  }

  /** Gives back what was held too long; returns the next deadline, or 0. */
  abortOverdue(now: number): number {
    let next = 0;
    const overdue: OpenRead[] = [];
    for (const read of this.openReads) {
      if (read.deadline === 0) continue;
      if (read.deadline <= now) overdue.push(read);
      else if (next === 0 || read.deadline < next) next = read.deadline;
    }
    if (overdue.length > 0) this.abort(overdue, now);
    return next;
  }

  /** For a timeout that was changed. 0: none. */
  setOpenReadTimeout(timeoutMs: number): void {
    for (const read of this.openReads) read.deadline = timeoutMs > 0 ? read.openedAt + timeoutMs : 0;
  }

  /** Hands messages to those who wait, first come first served. */
  serve(now: number): void {
    for (const waiter of this.waiters) {
      if (this.paused && waiter.looks !== true) {
        if (!waiter.patient) this.#answer(waiter);
        continue;
      }
      let message: Message | undefined;
      try {
        message = this.take(now);
      } catch (error) {
        this.#answer(waiter, undefined, error as Error);
        continue;
      }
      if (message === undefined) break;
      this.#answer(waiter, message);
    }
    if (!this.behind) this.#dismiss();
  }

  /** What the store had after the lane's `windowEnd`; nothing, if all that it had when asked (`through`) is gone. */
  loaded(messages: readonly Message[], through: number, now: number, lane: Lane = this.#main): void {
    lane.loaded(messages, through);
    this.serve(now);
  }

  loadFailed(error: Error, lane: Lane = this.#main): void {
    lane.loading = false;
    this.#dismiss(error);
  }

  /**
   * Lets go of the window of a queue that nobody uses: its messages are read again when somebody does. Beside the
   * bodies this frees the write buffers that they are part of.
   */
  evict(): void {
    // With open reads the store would hand out once more what is held.
    if (this.loading || this.openReads.size > 0) return;
    for (const lane of this.#all) lane.evict();
  }

  /** Forgets what it holds, open reads too: everything so far was acknowledged. */
  purged(): void {
    for (const lane of this.#all) lane.purged();
    this.#dismiss();
  }

  /** The queue is gone: nobody waits or holds any more. */
  removed(): void {
    this.purged();
    for (const waiter of [...this.waiters]) this.#answer(waiter);
    for (const read of this.openReads) read.held = false;
    this.openReads.clear();
  }

  /** Passes over expired messages at the heads, at most `limit`; returns how many. @throws StoreError */
  sweep(now: number, limit: number): number {
    let passed = 0;
    for (const lane of this.#all) {
      while (passed < limit) {
        const message = lane.window.shift();
        if (message === undefined) break;
        if (!this.#passes(lane, message, now)) {
          lane.window.putBack(message);
          break;
        }
        passed += 1;
      }
    }
    return passed;
  }

  /** Whether a lane beside the main one has nothing in its window and more in the store. */
  get hasUnseenLane(): boolean {
    return this.#lanes?.some((lane) => lane !== this.#main && lane.behind && lane.window.size === 0) ?? false;
  }

  /** The first ready message of the main lane, if it is in the window. */
  get oldest(): Message | undefined {
    return this.#main.window.first();
  }

  /** When the message that waits longest came, as far as the windows tell; 0 if they are empty. */
  get oldestAddedAt(): number {
    let oldest = 0;
    for (const lane of this.#all) {
      const addedAt = lane.window.first()?.addedAt ?? 0;
      if (addedAt !== 0 && (oldest === 0 || addedAt < oldest)) oldest = addedAt;
    }
    return oldest;
  }

  /** Ready messages in memory, in order. */
  *windowMessages(): Iterable<Message> {
    for (const lane of this.#all) yield* lane.window.values();
  }

  #passes(lane: Lane, message: Message, now: number): boolean {
    try {
      return this.source.pass(message, now);
    } catch (error) {
      lane.window.putBack(message);
      throw error;
    }
  }

  /** Those who only wanted to know now are told that there is nothing. */
  #dismiss(error?: Error): void {
    for (const waiter of [...this.waiters]) {
      if (!waiter.patient || error !== undefined) this.#answer(waiter, undefined, error);
    }
  }

  /** Its wait is over before it hears so: it may ask for the next at once. */
  #answer(waiter: Waiter, message?: Message, error?: Error): void {
    this.waiters.delete(waiter);
    waiter.deliver(message, error);
  }
}
