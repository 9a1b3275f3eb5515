/**
 * Random numbers that a seed replays. The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state,
 * passes PractRand and BigCrush, and needs only 32-bit integer arithmetic, so it is fast in JavaScript.
 *
 * @example
 * const random = new Random(42);
 * const disk = random.fork('disk'); // draws here don't move what `random` draws next
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** The seed may be any integer up to 2^53; `label` tells apart generators of one seed. */
  constructor(seed: number, label = '') {
    let state = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) | 0, 0x9e3779b1);
    for (let i = 0; i < label.length; i++) state = Math.imul(state ^ label.charCodeAt(i), 0x01000193);
    const next = (): number => {
      // splitmix32: spreads near seeds far apart.
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) | 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#counter = 1;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    return result >>> 0;
  }

  /** From 0 up to but without 1. */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer from 0 up to but without `limit`, which must be 1 to 2^32. */
  below(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('pick: the list is empty');
    return items[this.below(items.length)] as T;
  }

  /** Picks a key of `weights`, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    let total = 0;
    for (const key in weights) total += weights[key];
    let left = this.float() * total;
    for (const key in weights) {
      left -= weights[key];
      if (left < 0) return key;
    }
    throw new RangeError('weighted: no weight is above zero');
  }

  /** Shuffles in place and returns the same list. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const swapped = items[i] as T;
      items[i] = items[j] as T;
      items[j] = swapped;
    }
    return items;
  }

  bytes(length: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(length);
    for (let i = 0; i < length; i += 4) {
      const value = this.uint32();
      buffer[i] = value;
      buffer[i + 1] = value >>> 8;
      buffer[i + 2] = value >>> 16;
      buffer[i + 3] = value >>> 24;
    }
    return buffer;
  }

  /** An independent generator: what it draws does not depend on how often this one is drawn from later. */
  fork(label: string): Random {
    return new Random(this.uint32(), label);
  }
}
