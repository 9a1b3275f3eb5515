/**
 * A set of sequences as sorted disjoint ranges. What is consumed in order is one range however long, so that a
 * stream's memory is that of its holes.
 */
export class RangeSet {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  // Questions come in ascending order: the answer is mostly where the last one was.
  #hint = 0;

  get length(): number {
    return this.#firsts.length;
  }

  first(index: number): number {
    return this.#firsts[index]!;
  }

  last(index: number): number {
    return this.#lasts[index]!;
  }

  /** The highest sequence, 0 if there is none. */
  get highest(): number {
    return this.#lasts.length === 0 ? 0 : this.#lasts[this.#lasts.length - 1]!;
  }

  /** Adds one sequence; false if it was there. */
  // hot: the next one after the highest is two comparisons.
  add(sequence: number): boolean {
    const end = this.#lasts.length - 1;
    if (end >= 0) {
      const last = this.#lasts[end]!;
      if (sequence === last + 1) {
        this.#lasts[end] = sequence;
        return true;
      }
      if (sequence <= last) {
        if (this.has(sequence)) return false;
        this.addRange(sequence, sequence);
        return true;
      }
    }
    this.#firsts.push(sequence);
    this.#lasts.push(sequence);
    return true;
  }

  /** Adds `first` to `last`, both included. */
  addRange(first: number, last: number): void {
    const firsts = this.#firsts;
    const lasts = this.#lasts;
    // The ranges [from, to) touch or overlap the new one and melt into it.
    const from = this.#lowerBound(first - 1);
    let to = from;
    while (to < firsts.length && firsts[to]! <= last + 1) to++;
    if (from === to) {
      firsts.splice(from, 0, first);
      lasts.splice(from, 0, last);
      return;
    }
    firsts[from] = Math.min(first, firsts[from]!);
    lasts[from] = Math.max(last, lasts[to - 1]!);
    if (to - from > 1) {
      firsts.splice(from + 1, to - from - 1);
      lasts.splice(from + 1, to - from - 1);
    }
  }

  // hot: asked of each message that is read, and those lie mostly above all that is consumed.
  has(sequence: number): boolean {
    if (sequence > this.highest) return false;
    const index = this.#lowerBound(sequence);
    return index < this.#firsts.length && this.#firsts[index]! <= sequence;
  }

  /** The lowest sequence from `sequence` on that is not in the set. */
  nextAbsent(sequence: number): number {
    const index = this.#lowerBound(sequence);
    return index < this.#firsts.length && this.#firsts[index]! <= sequence
      ? this.#lasts[index]! + 1
      : sequence;
  }

  /** Whether all from `first` to `last` is in the set. */
  covers(first: number, last: number): boolean {
    return this.nextAbsent(first) > last;
  }

  /** Whether anything from `first` to `last` is in the set. */
  overlaps(first: number, last: number): boolean {
    const index = this.#lowerBound(first);
    return index < this.#firsts.length && this.#firsts[index]! <= last;
  }

  /** What is in this set and not in the other. */
  without(other: RangeSet): RangeSet {
    const rest = new RangeSet();
    for (let index = 0; index < this.length; index++) {
      let from = this.first(index);
      const last = this.last(index);
      while (from <= last) {
        const absent = other.nextAbsent(from);
        if (absent > last) break;
        const hole = other.#lowerBound(absent);
        const to = hole < other.length ? Math.min(last, other.first(hole) - 1) : last;
        rest.addRange(absent, to);
        from = to + 1;
      }
    }
    return rest;
  }

  clear(): void {
    this.#firsts.length = 0;
    this.#lasts.length = 0;
    this.#hint = 0;
  }

  /** Index of the first range that ends at or after the sequence. */
  #lowerBound(sequence: number): number {
    const lasts = this.#lasts;
    const hint = this.#hint;
    if (hint <= lasts.length && (hint === 0 || lasts[hint - 1]! < sequence)) {
      if (hint === lasts.length || lasts[hint]! >= sequence) return hint;
      if (hint + 1 === lasts.length || lasts[hint + 1]! >= sequence) {
        this.#hint = hint + 1;
        return hint + 1;
      }
    }
    let low = 0;
    let high = lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lasts[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    this.#hint = low;
    return low;
  }
}
