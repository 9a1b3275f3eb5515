import type { KeptId } from '../store/store.ts';

/** The ids that a queue has seen lately, by time and by number. Its owner keeps them in the store as well. */
export interface IdWindow {
  readonly size: number;
  has(id: string, now: number): boolean;
  add(kept: KeptId): void;
  /** Forgets what has left the window; returns the mark of the newest of them, or 0 if it is not worth a record yet. */
  trim(now: number): number;
}

export interface IdWindowLimits {
  readonly deduplicationWindowMs: number;
  readonly deduplicationWindowItems: number;
}

/** Ids that are forgotten in the store together, so that it isn't told of each. */
const forgetTogether = 64;

export function createIdWindow(found: readonly KeptId[], limits: () => IdWindowLimits): IdWindow {
  /** Oldest first. */
  const ids = new Map<string, KeptId>();
  let forgottenMark = 0;
  let untold = 0;

  function add(kept: KeptId): void {
    // A new one of an id that had left the window, and was not yet forgotten.
    ids.delete(kept.id);
    ids.set(kept.id, kept);
    if (ids.size > limits().deduplicationWindowItems) {
      const [oldest] = ids.values();
      forget(oldest!);
    }
  }

  function forget(kept: KeptId): void {
    ids.delete(kept.id);
    forgottenMark = Math.max(forgottenMark, kept.mark);
    untold += 1;
  }

  for (const kept of found) add(kept);

  return {
    get size() {
      return ids.size;
    },
    add,
    has(id, now) {
      const kept = ids.get(id);
      return kept !== undefined && kept.at + limits().deduplicationWindowMs > now;
    },
    trim(now) {
      const { deduplicationWindowMs, deduplicationWindowItems } = limits();
      for (const kept of ids.values()) {
        if (ids.size <= deduplicationWindowItems && kept.at + deduplicationWindowMs > now) break;
        forget(kept);
      }
      if (untold < Math.max(forgetTogether, deduplicationWindowItems / 8) && ids.size > 0) return 0;
      if (untold === 0) return 0;
      untold = 0;
      return forgottenMark;
    },
  };
}
