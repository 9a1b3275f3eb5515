import type { Message } from '../store/store.ts';
import { createWindow, type Window, type WindowBudget } from './window.ts';

/** Where a reader gets its messages: a queue, or for a cursor the queue it runs along. */
export interface Source {
  /** Sequence of the newest message. */
  readonly lastSequence: number;
  /** Remembers that this reader has done with the message. @throws StoreError */
  acknowledge(message: Message): void;
  /**
   * Whether the message must not be delivered (it expired, or is gone). If so the source has dealt with it.
   * @throws StoreError
   */
  pass(message: Message, now: number): boolean;
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
}

/** Somebody who wants the next message. */
export interface Waiter {
  /** False: wants to know now, and waits only because the store must be read first. */
  readonly patient: boolean;
  /** Called once: with a message, without one when there is none, or with why it can't be read. */
  deliver(message: Message | undefined, error?: Error): void;
}

/**
 * Messages the window may hold, whatever their size: what each costs in memory beside its body (some 200 bytes)
 * times this stays under a megabyte.
 */
export const windowMessages = 4096;

/**
 * Hands out the messages of one queue, or of one cursor, in order. It does no I/O: when the window runs low and the
 * store has more, `needsLoad` says so, and the caller reads the store and brings the messages to `loaded`.
 */
export class Reader {
  readonly source: Source;
  readonly openReads: Set<OpenRead> = new Set();
  readonly waiters: Set<Waiter> = new Set();
  readonly #window: Window;
  readonly #budget: WindowBudget;
  /** The newest sequence that is in the window or has passed through it: the store is read from here. */
  #windowEnd: number;
  #maxWindowBytes: number;
  #purgedThrough = 0;
  loading = false;
  openedTotal = 0;
  abortedTotal = 0;

  constructor(source: Source, maxWindowBytes: number, windowEnd: number, budget: WindowBudget) {
    this.source = source;
    this.#budget = budget;
    this.#window = createWindow(budget);
    this.#maxWindowBytes = maxWindowBytes;
    this.#windowEnd = windowEnd;
  }

  get windowEnd(): number {
    return this.#windowEnd;
  }

  get windowSize(): number {
    return this.#window.size;
  }

  get windowBytes(): number {
    return this.#window.bodyBytes;
  }

  set maxWindowBytes(bytes: number) {
    this.#maxWindowBytes = bytes;
  }

  /** The store holds messages that the window doesn't. */
  get behind(): boolean {
    return this.#windowEnd < this.source.lastSequence;
  }

  get needsLoad(): boolean {
    return (
      !this.loading &&
      this.behind &&
      this.#window.size < windowMessages / 2 &&
      this.#window.bodyBytes <= this.#maxWindowBytes / 2
    );
  }

  // hot:
  /** A new message of the source. It goes into the window only if it is next and there is room. */
  arrived(message: Message, now: number): void {
    if (
      this.#windowEnd === message.sequence - 1 &&
      !this.loading &&
      this.#window.size < windowMessages &&
      this.#window.bodyBytes < this.#maxWindowBytes &&
      this.#budget.bodyBytes < this.#budget.limit
    ) {
      this.#window.append(message);
      this.#windowEnd = message.sequence;
    }
    if (this.waiters.size > 0) this.serve(now);
  }

  // hot:
  /** The oldest message that may be delivered; undefined if the window has none (see `behind`). @throws StoreError */
  take(now: number): Message | undefined {
    for (;;) {
      const message = this.#window.shift();
      if (message === undefined || !this.#passes(message, now)) return message;
    }
  }

  /** The same, left where it is. @throws StoreError */
  peek(now: number): Message | undefined {
    const message = this.take(now);
    if (message !== undefined) this.#window.putBack(message);
    return message;
  }

  /** The oldest message whatever its state, removed from the window and not otherwise dealt with. */
  takeOldest(): Message | undefined {
    return this.#window.shift();
  }

  /** Whether a message older than this is ready or open. */
  holdsBefore(sequence: number): boolean {
    const first = this.#window.first();
    if (first !== undefined && first.sequence < sequence) return true;
    for (const { message } of this.openReads) if (message.sequence < sequence) return true;
    return false;
  }

  /** Undoes a `take`. */
  putBack(message: Message): void {
    if (message.sequence > this.#purgedThrough) this.#window.putBack(message);
  }

  open(message: Message, now: number, timeoutMs: number): OpenRead {
    const read: OpenRead = {
      reader: this,
      message,
      openedAt: now,
      deadline: timeoutMs > 0 ? now + timeoutMs : 0,
      held: true,
    };
    this.openReads.add(read);
    this.openedTotal += 1;
    return read;
  }

  /** Acknowledges. @throws StoreError, and then the read is still held */
  close(read: OpenRead): void {
    this.source.acknowledge(read.message);
    this.#release(read);
  }

  /** Gives messages back, to whoever waits: all that come back together before the first is handed out, in order. */
  abort(reads: readonly OpenRead[], now: number): void {
    for (const read of reads) {
      this.#release(read);
      this.abortedTotal += 1;
      this.putBack(read.message);
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
      let message: Message | undefined;
      try {
        message = this.take(now);
      } catch (error) {
        this.waiters.delete(waiter);
        waiter.deliver(undefined, error as Error);
        continue;
      }
      if (message === undefined) break;
      this.waiters.delete(waiter);
      waiter.deliver(message);
    }
    if (!this.behind) this.#dismiss();
  }

  /** What the store had after `windowEnd`; nothing, if all that it had when asked (`through`) is gone. */
  loaded(messages: readonly Message[], through: number, now: number): void {
    this.loading = false;
    for (const message of messages) {
      if (message.sequence <= this.#windowEnd) continue;
      this.#window.append(message);
      this.#windowEnd = message.sequence;
    }
    if (messages.length === 0 && through > this.#windowEnd) this.#windowEnd = through;
    this.serve(now);
  }

  loadFailed(error: Error): void {
    this.loading = false;
    this.#dismiss(error);
  }

  /**
   * Lets go of the window of a queue that nobody uses: its messages are read again when somebody does. Beside the
   * bodies this frees the write buffers that they are part of.
   */
  evict(): void {
    const first = this.#window.first();
    // With open reads the store would hand out once more what is held.
    if (first === undefined || this.loading || this.openReads.size > 0) return;
    this.#window.clear();
    this.#windowEnd = first.sequence - 1;
  }

  /** Forgets what it holds, open reads too: everything so far was acknowledged. */
  purged(): void {
    this.#window.clear();
    this.#windowEnd = this.source.lastSequence;
    this.#purgedThrough = this.#windowEnd;
    this.#dismiss();
  }

  /** The queue is gone: nobody waits or holds any more. */
  removed(): void {
    this.purged();
    for (const waiter of [...this.waiters]) {
      this.waiters.delete(waiter);
      waiter.deliver(undefined);
    }
    for (const read of this.openReads) read.held = false;
    this.openReads.clear();
  }

  /** Passes over expired messages at the head, at most `limit`; returns how many. @throws StoreError */
  sweep(now: number, limit: number): number {
    let passed = 0;
    while (passed < limit) {
      const message = this.#window.shift();
      if (message === undefined) break;
      if (!this.#passes(message, now)) {
        this.#window.putBack(message);
        break;
      }
      passed += 1;
    }
    return passed;
  }

  /** The oldest ready message, if it is in the window. */
  get oldest(): Message | undefined {
    return this.#window.first();
  }

  /** The oldest ready message's time of arrival, or 0 if the window is empty. */
  get oldestAddedAt(): number {
    return this.#window.first()?.addedAt ?? 0;
  }

  /** Ready messages in memory, in order. */
  windowMessages(): Iterable<Message> {
    return this.#window.values();
  }

  #passes(message: Message, now: number): boolean {
    try {
      return this.source.pass(message, now);
    } catch (error) {
      this.#window.putBack(message);
      throw error;
    }
  }

  #release(read: OpenRead): void {
    read.held = false;
    this.openReads.delete(read);
  }

  /** Those who only wanted to know now are told that there is nothing. */
  #dismiss(error?: Error): void {
    for (const waiter of [...this.waiters]) {
      if (waiter.patient && error === undefined) continue;
      this.waiters.delete(waiter);
      waiter.deliver(undefined, error);
    }
  }
}
