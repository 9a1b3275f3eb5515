/**
 * Which messages of which publishers were there: sequences as ranges, for each publisher. What is known depends on what
 * was added and not on the order of it, so that daemons which have the same messages know the same. Pure.
 */
import type { Origin } from '@rookery/protocol/bus';

/** 8 MiB of memory at most; the publisher that was silent longest is forgotten. */
const PUBLISHERS_MAX = 65_536;
/** Of a publisher, which also sends elsewhere; below the lowest is only known that something was there. */
const RANGES_MAX = 64;

interface Ranges {
  /** Ascending: first, last, first, last, … */
  readonly bounds: number[];
  /** Up to here nothing is known exactly. */
  floor: number;
}

/** Publishers, the one that was silent longest first: floor, and bounds. */
export type OriginsState = readonly (readonly [
  publisher: string,
  floor: number,
  bounds: readonly number[],
])[];

export class Origins {
  readonly #publishers = new Map<string, Ranges>();
  readonly #publishersMax: number;

  constructor(publishersMax: number = PUBLISHERS_MAX) {
    this.#publishersMax = publishersMax;
  }

  get state(): OriginsState {
    return [...this.#publishers].map(([publisher, { floor, bounds }]) => [publisher, floor, bounds]);
  }

  /** For one that is empty. */
  restore(state: OriginsState): void {
    for (const [publisher, floor, bounds] of state) {
      this.#publishers.set(publisher, { floor, bounds: [...bounds] });
    }
  }

  get size(): number {
    return this.#publishers.size;
  }

  /**
   * False if it was there. `late`: it comes from the other side of a cut; where nothing exact is known, that counts as
   * new, for a loss is worse than a repeat. What is sent now counts as a repeat there.
   */
  // hot: once per message with an origin; in order, it widens the last range.
  add({ publisher, sequence }: Origin, late: boolean): boolean {
    let ranges = this.#publishers.get(publisher);
    if (ranges === undefined) ranges = { bounds: [], floor: 0 };
    else this.#publishers.delete(publisher);
    // Last in the map is who spoke last.
    this.#publishers.set(publisher, ranges);
    if (this.#publishers.size > this.#publishersMax) {
      this.#publishers.delete(this.#publishers.keys().next().value!);
    }
    if (sequence <= ranges.floor) return late;
    return widen(ranges, sequence);
  }
}

function widen(ranges: Ranges, sequence: number): boolean {
  const { bounds } = ranges;
  let at = bounds.length;
  while (at > 0 && bounds[at - 2]! > sequence) at -= 2;
  // The range that begins at or before it is at `at - 2`.
  if (at > 0 && bounds[at - 1]! >= sequence) return false;
  const joinsBefore = at > 0 && bounds[at - 1] === sequence - 1;
  const joinsAfter = at < bounds.length && bounds[at] === sequence + 1;
  if (joinsBefore && joinsAfter) bounds.splice(at - 1, 2);
  else if (joinsBefore) bounds[at - 1] = sequence;
  else if (joinsAfter) bounds[at] = sequence;
  else bounds.splice(at, 0, sequence, sequence);
  if (bounds.length > 2 * RANGES_MAX) {
    const [, last] = bounds.splice(0, 2) as [number, number];
    ranges.floor = last;
  }
  return true;
}
