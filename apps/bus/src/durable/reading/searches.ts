/**
 * Places in logs that are searched for, some at a time: each search reads a part of a log into memory, and a client may
 * ask for one and take it back as fast as it can send. Who has gone before its turn isn't searched for. Pure.
 */

/** Enough for a disk to be busy; each reads 256 KiB, or one message. */
const SEARCHES_MAX = 16;

export class Searches {
  readonly #waiting = new Set<() => Promise<void>>();
  #running = 0;

  /** `search` never rejects. Gives what takes it back; one that has begun goes on. */
  add(search: () => Promise<void>): () => void {
    this.#waiting.add(search);
    this.#begin();
    return () => this.#waiting.delete(search);
  }

  #begin(): void {
    for (const search of this.#waiting) {
      if (this.#running === SEARCHES_MAX) return;
      this.#waiting.delete(search);
      this.#running++;
      void search().then(() => {
        this.#running--;
        this.#begin();
      });
    }
  }
}
