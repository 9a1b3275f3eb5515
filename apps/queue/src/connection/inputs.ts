/** Who has sent the beginning of a request. */
export interface Holder {
  /** Forgets what it has sent, and ends. */
  evict(): void;
}

/** What half-sent requests take of memory, of all connections together. */
export interface Inputs {
  readonly bytes: number;
  readonly evicted: number;
  /** How much a connection holds now; 0 when it is gone. When all hold too much, who has been at it longest is evicted. */
  hold(holder: Holder, bytes: number): void;
}

/** What is less is not counted: ten thousand connections have some 40 MB of it. */
export const uncountedBytes: number = 4096;

export function createInputs(bytesMax: number): Inputs {
  // In order of their beginning.
  const held = new Map<Holder, number>();
  let total = 0;
  let evicted = 0;
  return {
    get bytes() {
      return total;
    },
    get evicted() {
      return evicted;
    },
    hold(holder, bytes) {
      const before = held.get(holder) ?? 0;
      total += bytes - before;
      if (bytes > 0) held.set(holder, bytes);
      else held.delete(holder);
      while (total > bytesMax) {
        const [oldest] = held;
        if (oldest === undefined) return;
        held.delete(oldest[0]);
        total -= oldest[1];
        evicted += 1;
        oldest[0].evict();
      }
    },
  };
}
