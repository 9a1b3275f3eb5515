/** A queue that takes and gives in constant time, and lets go of what it gave. */

/** Places of what was given that may stay behind, besides as many as are waiting. */
const SPARE = 32;

export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > SPARE && this.#head > this.#items.length / 2) {
      this.replace(this.toArray());
    }
    return item;
  }

  toArray(): T[] {
    return this.#items.slice(this.#head);
  }

  replace(items: T[]): void {
    this.#items = items;
    this.#head = 0;
  }
}
