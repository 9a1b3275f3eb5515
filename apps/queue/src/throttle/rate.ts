/** A token bucket: so much a second, a second's worth at once, and debt for what is larger. Pure. */
export class Rate {
  #perSecond: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#at = now;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  change(perSecond: number, now: number): void {
    this.#refill(now);
    this.#perSecond = perSecond;
    this.#left = Math.min(this.#left, perSecond);
  }

  /** Milliseconds until something may pass; 0: now. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#left > 0 ? 0 : Math.ceil((-this.#left / this.#perSecond) * 1000) + 1;
  }

  /** It passed, and may leave a debt that the next one waits for. */
  spend(amount: number): void {
    this.#left -= amount;
  }

  /** Nobody would notice if it were made anew. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#left >= this.#perSecond;
  }

  #refill(now: number): void {
    // A clock set back gives nothing and takes nothing.
    const elapsedMs = Math.max(0, now - this.#at);
    this.#left = Math.min(this.#perSecond, this.#left + (elapsedMs / 1000) * this.#perSecond);
    this.#at = now;
  }
}

/** As the limit says now; undefined where there is none. */
export function rateOf(limit: number, before: Rate | undefined, now: number): Rate | undefined {
  if (limit === Number.POSITIVE_INFINITY) return undefined;
  if (before === undefined) return new Rate(limit, now);
  if (before.perSecond !== limit) before.change(limit, now);
  return before;
}
