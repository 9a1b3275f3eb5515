/** What a test's client has received and the test has not yet looked at. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #waiter: (() => void) | undefined;
  #ended: string | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Nothing more comes. */
  end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  get ended(): string | undefined {
    return this.#ended;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The oldest. Rejects when there is none in time, or when none can come any more. */
  async next(withinMs = 30_000): Promise<T> {
    const deadline = performance.now() + withinMs;
    while (this.#items.length === 0) {
      if (this.#ended !== undefined) throw new Error(`nothing more comes: ${this.#ended}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`nothing came within ${withinMs} ms`);
      await this.#something(left);
    }
    return this.#items.shift()!;
  }

  /** All up to the first that fits, that one included. */
  async until(fits: (item: T) => boolean, withinMs = 30_000): Promise<T[]> {
    const items: T[] = [];
    const deadline = performance.now() + withinMs;
    for (;;) {
      const item = await this.next(deadline - performance.now()).catch((error: Error) => {
        throw new Error(`${error.message}; before: ${shown(items)}`);
      });
      items.push(item);
      if (fits(item)) return items;
    }
  }

  #something(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#waiter = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }
}

function shown(items: readonly unknown[]): string {
  const text = items.slice(-5).map((item) => JSON.stringify(item)?.slice(0, 200));
  return `${items.length} items ${text.join(' ')}`;
}
