/** What a journal leaves when it is played from its beginning to its end. */

/** A message that is still there; its body stands in the file. */
export interface JournalMessage {
  readonly file: string;
  readonly position: number;
  readonly length: number;
  /** Milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAtMs: number;
}

export interface Replayed {
  /** In the order in which they would be read. */
  readonly messages: readonly JournalMessage[];
  /** Those of them that somebody had open and did not acknowledge: they come first. */
  readonly returned: number;
  /** Bytes of a last record that was never written to its end. */
  readonly tornBytes: number;
  /** Where a file stops making sense: what is behind it is not known. */
  readonly damaged: { readonly file: string; readonly position: number } | undefined;
}

/** A list that gives its first and takes another before it, in constant time. */
export class Line<T> {
  #before: T[] = [];
  #items: (T | undefined)[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  unshift(item: T): void {
    this.#before.push(item);
  }

  shift(): T | undefined {
    const first = this.#before.pop();
    if (first !== undefined) return first;
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  toArray(): T[] {
    return [...this.#before.toReversed(), ...(this.#items.slice(this.#head) as T[])];
  }
}
