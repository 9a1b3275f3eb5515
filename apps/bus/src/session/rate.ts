/** A token bucket: so much a second, and a second's worth at once. Pure. */
export class Rate {
  readonly #perSecond: number;
  #left: number;
  #at: number;

  /** `perSecond` 0: no limit. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#at = now;
  }

  /** Milliseconds until something may pass; 0: now. What is larger than a second's worth passes when the bucket is full. */
  waitMs(now: number): number {
    if (this.#perSecond === 0) return 0;
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    return this.#left > 0 ? 0 : Math.ceil((-this.#left / this.#perSecond) * 1000) + 1;
  }

  /** It passed, and may leave a debt that the next one waits for. */
  spend(amount: number): void {
    if (this.#perSecond > 0) this.#left -= amount;
  }
}
