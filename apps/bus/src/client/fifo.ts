/** A queue that takes and gives in constant time, and lets go of what it gave. */

/** Places of what was given that may stay behind, besides as many as are waiting. */
const SPARE = 32;

export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The first one is 0. */
  at(index: number): T | undefined {
    return index < 0 ? undefined : this.#items[this.#head + index];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > SPARE && this.#head > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Keeps those of them that `keep` wants, and gives the others. */
  filter(keep: (item: T, index: number) => boolean): T[] {
    const waiting = this.#items.slice(this.#head);
    this.#items = waiting.filter(keep);
    this.#head = 0;
    return waiting.filter((item, index) => !keep(item, index));
  }

  toArray(): T[] {
    return this.#items.slice(this.#head);
  }

  /** Gives all. */
  clear(): T[] {
    const waiting = this.toArray();
    this.#items = [];
    this.#head = 0;
    return waiting;
  }
}
