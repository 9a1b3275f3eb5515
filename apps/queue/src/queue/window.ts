import type { Message } from '../store/store.ts';

/**
 * The head of a queue in memory: messages that are ready, by sequence.
 *
 * Two sources, because they have different orders of arrival: `loaded` grows at its end (puts, and reads from the
 * store), `returned` takes what readers gave back, which is always older than all that is loaded. Taking looks at
 * `returned` first, so the order is that of the sequences whatever the order of coming back.
 */
export interface Window {
  readonly size: number;
  readonly bodyBytes: number;
  append(message: Message): void;
  /** Puts a message back where its sequence says. */
  putBack(message: Message): void;
  first(): Message | undefined;
  shift(): Message | undefined;
  clear(): void;
  /** In order. */
  values(): Iterable<Message>;
}

/** Shared by all windows of a server: together they hold about `limit` bytes of bodies at most. */
export interface WindowBudget {
  bodyBytes: number;
  limit: number;
}

/** Entries of the array before its head are dropped in one go once they are so many, and more than half of it. */
const compactAfter = 1024;

export function createWindow(budget: WindowBudget): Window {
  return new HeadWindow(budget);
}

/** A class, because a literal with getters is a dictionary to V8, and each message asks for the size three times. */
class HeadWindow implements Window {
  readonly #budget: WindowBudget;
  #loaded: (Message | undefined)[] = [];
  #head = 0;
  /** Sorted by sequence, newest first, so that the oldest is popped from the end. */
  #returned: Message[] = [];
  bodyBytes = 0;

  constructor(budget: WindowBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#loaded.length - this.#head + this.#returned.length;
  }

  #count(bytes: number): void {
    this.bodyBytes += bytes;
    this.#budget.bodyBytes += bytes;
  }

  // hot:
  append(message: Message): void {
    this.#loaded.push(message);
    this.#count(message.end - message.start);
  }

  putBack(message: Message): void {
    const returned = this.#returned;
    let low = 0;
    let high = returned.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (returned[middle]!.sequence > message.sequence) low = middle + 1;
      else high = middle;
    }
    returned.splice(low, 0, message);
    this.#count(message.end - message.start);
  }

  first(): Message | undefined {
    const returned = this.#returned;
    return returned.length > 0 ? returned[returned.length - 1] : this.#loaded[this.#head];
  }

  // hot:
  shift(): Message | undefined {
    const message = this.#returned.length > 0 ? this.#returned.pop() : this.#shiftLoaded();
    if (message !== undefined) this.#count(message.start - message.end);
    return message;
  }

  #shiftLoaded(): Message | undefined {
    const loaded = this.#loaded;
    if (this.#head === loaded.length) return undefined;
    const message = loaded[this.#head];
    loaded[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === loaded.length) {
      loaded.length = 0;
      this.#head = 0;
    } else if (this.#head >= compactAfter && this.#head * 2 > loaded.length) {
      this.#loaded = loaded.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  clear(): void {
    this.#loaded = [];
    this.#head = 0;
    this.#returned = [];
    this.#count(-this.bodyBytes);
  }

  *values(): Iterable<Message> {
    for (let index = this.#returned.length - 1; index >= 0; index -= 1) yield this.#returned[index]!;
    for (let index = this.#head; index < this.#loaded.length; index += 1) yield this.#loaded[index]!;
  }
}
