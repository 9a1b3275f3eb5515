import type { Message, StoredLane } from '../store/store.ts';
import { createWindow, type Window, type WindowBudget } from './window.ts';

/**
 * Messages the window may hold, whatever their size: what each costs in memory beside its body (some 200 bytes)
 * times this stays under a megabyte.
 */
export const windowMessages = 4096;

/** What of a lane is in memory: its head, and up to where it has been read. */
export class Lane {
  readonly window: Window;
  /** Undefined for a reader's main lane. */
  readonly stored: StoredLane | undefined;
  readonly #source: { readonly lastSequence: number };
  readonly #budget: WindowBudget;
  /** The newest sequence that is in the window or has passed through it: the store is read from here. */
  windowEnd: number;
  maxWindowBytes: number;
  purgedThrough = 0;
  loading = false;

  constructor(
    stored: StoredLane | undefined,
    source: { readonly lastSequence: number },
    maxWindowBytes: number,
    windowEnd: number,
    budget: WindowBudget,
  ) {
    this.stored = stored;
    this.#source = source;
    this.window = createWindow(budget);
    this.maxWindowBytes = maxWindowBytes;
    this.windowEnd = windowEnd;
    this.#budget = budget;
  }

  get lastSequence(): number {
    return this.#source.lastSequence;
  }

  /** The store holds messages that the window doesn't. */
  get behind(): boolean {
    return this.windowEnd < this.#source.lastSequence;
  }

  get needsLoad(): boolean {
    return (
      this.windowEnd < this.#source.lastSequence &&
      !this.loading &&
      this.window.size < windowMessages / 2 &&
      this.window.bodyBytes <= this.maxWindowBytes / 2
    );
  }

  // hot:
  /** A new message. It goes into the window only if it is next and there is room. */
  arrived(message: Message): void {
    if (
      this.windowEnd === message.sequence - 1 &&
      !this.loading &&
      this.window.size < windowMessages &&
      this.window.bodyBytes < this.maxWindowBytes &&
      this.#budget.bodyBytes < this.#budget.limit
    ) {
      this.window.append(message);
      this.windowEnd = message.sequence;
    }
  }

  /** False for what was flushed while it was open. */
  putBack(message: Message): boolean {
    if (message.sequence <= this.purgedThrough) return false;
    this.window.putBack(message);
    return true;
  }

  loaded(messages: readonly Message[], through: number): void {
    this.loading = false;
    for (const message of messages) {
      if (message.sequence <= this.windowEnd) continue;
      this.window.append(message);
      this.windowEnd = message.sequence;
    }
    if (messages.length === 0 && through > this.windowEnd) this.windowEnd = through;
  }

  evict(): void {
    const first = this.window.first();
    if (first === undefined) return;
    this.window.clear();
    this.windowEnd = first.sequence - 1;
  }

  purged(): void {
    this.window.clear();
    this.windowEnd = this.lastSequence;
    this.purgedThrough = this.windowEnd;
  }
}
