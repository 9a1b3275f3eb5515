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
  let loaded: (Message | undefined)[] = [];
  let head = 0;
  /** Sorted by sequence, newest first, so that the oldest is popped from the end. */
  let returned: Message[] = [];
  let bodyBytes = 0;

  function count(message: Message, sign: 1 | -1): void {
    const bytes = sign * (message.end - message.start);
    bodyBytes += bytes;
    budget.bodyBytes += bytes;
  }

  return {
    get size() {
      return loaded.length - head + returned.length;
    },
    get bodyBytes() {
      return bodyBytes;
    },
    // hot:
    append(message) {
      loaded.push(message);
      count(message, 1);
    },
    putBack(message) {
      let low = 0;
      let high = returned.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (returned[middle]!.sequence > message.sequence) low = middle + 1;
        else high = middle;
      }
      returned.splice(low, 0, message);
      count(message, 1);
    },
    first() {
      return returned.length > 0 ? returned[returned.length - 1] : loaded[head];
    },
    // hot:
    shift() {
      let message: Message | undefined;
      if (returned.length > 0) message = returned.pop();
      else {
        message = loaded[head];
        if (message === undefined) return undefined;
        loaded[head] = undefined;
        head += 1;
        if (head === loaded.length) {
          loaded.length = 0;
          head = 0;
        } else if (head >= compactAfter && head * 2 > loaded.length) {
          loaded = loaded.slice(head);
          head = 0;
        }
      }
      count(message!, -1);
      return message;
    },
    clear() {
      loaded = [];
      head = 0;
      returned = [];
      budget.bodyBytes -= bodyBytes;
      bodyBytes = 0;
    },
    *values() {
      for (let index = returned.length - 1; index >= 0; index -= 1) yield returned[index]!;
      for (let index = head; index < loaded.length; index += 1) yield loaded[index]!;
    },
  };
}
