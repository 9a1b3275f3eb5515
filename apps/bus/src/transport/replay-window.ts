/** Which counters of an instance were seen: each passes once, and none from further back than the window. */

/** Datagrams that may overtake one: many times what a ring sends in a rotation. */
export const WINDOW = 4096;
/** Room for twice the window, so that moving ahead clears whole words that nobody looks at any more. */
const WORDS = (2 * WINDOW) / 32;

export class ReplayWindow {
  readonly #seen = new Uint32Array(WORDS);
  #highest: number;
  /** Nothing up to this passes: it may have been recorded before there was a window. */
  readonly #floor: number;

  constructor(floor: number) {
    this.#highest = floor;
    this.#floor = floor;
  }

  get highest(): number {
    return this.#highest;
  }

  // hot: once per datagram received.
  /** True once for each counter. */
  accept(counter: number): boolean {
    const word = Math.floor(counter / 32);
    if (counter > this.#highest) {
      const top = Math.floor(this.#highest / 32);
      const steps = Math.min(word - top, WORDS);
      for (let i = 1; i <= steps; i++) this.#seen[(top + i) % WORDS] = 0;
      this.#highest = counter;
    } else if (counter <= this.#floor || this.#highest - counter >= WINDOW) {
      return false;
    }
    const at = word % WORDS;
    const bit = 1 << (counter % 32);
    if ((this.#seen[at]! & bit) !== 0) return false;
    this.#seen[at]! |= bit;
    return true;
  }
}
