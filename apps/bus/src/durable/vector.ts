/** What is held, or was given to a reader: of each strand, all up to an order. See docs/internals/durable.md. Pure. */
import type { Strand } from '@rookery/protocol/bus';
import type { Stamp } from '@rookery/protocol/websocket';

/** A day of a ring that breaks each minute. Of older ones it counts as held whatever there was. */
const STRANDS_MAX = 4096;

export function strandKey({ ringSequence, representative, sender }: Omit<Stamp, 'order'>): string {
  return `${ringSequence}.${representative}.${sender}`;
}

export function compareRings(
  a: Pick<Stamp, 'ringSequence' | 'representative'>,
  b: Pick<Stamp, 'ringSequence' | 'representative'>,
): number {
  return a.ringSequence - b.ringSequence || a.representative - b.representative;
}

/** Which of two messages is newer, for everybody. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return compareRings(a, b) || a.order - b.order;
}

type Growing = { -readonly [field in keyof Strand]: Strand[field] };

export class Vector implements Iterable<Strand> {
  readonly #strands = new Map<string, Growing>();
  /** The strand of each sender that was asked for last: its key is seldom made. */
  readonly #latest = new Map<number, Growing>();
  readonly #strandsMax: number;
  #floor: number;

  constructor(strands: Iterable<Strand> = [], floor = 0, strandsMax: number = STRANDS_MAX) {
    this.#floor = floor;
    this.#strandsMax = strandsMax;
    for (const strand of strands) this.raise(strand);
  }

  /** Of rings up to this sequence nothing is wanted. */
  get floor(): number {
    return this.#floor;
  }

  get size(): number {
    return this.#strands.size;
  }

  [Symbol.iterator](): Iterator<Strand> {
    return this.#strands.values();
  }

  /** 0 for nothing. */
  orderOf(strand: Omit<Stamp, 'order'>): number {
    if (strand.ringSequence <= this.#floor) return Number.MAX_SAFE_INTEGER;
    return this.#find(strand)?.order ?? 0;
  }

  has(stamp: Stamp): boolean {
    return this.orderOf(stamp) >= stamp.order;
  }

  // hot: once per message.
  /** False if it was held. */
  raise(stamp: Stamp): boolean {
    const { ringSequence, representative, sender, order } = stamp;
    if (ringSequence <= this.#floor) return false;
    const found = this.#find(stamp);
    if (found === undefined) {
      const strand = { ringSequence, representative, sender, order };
      this.#strands.set(strandKey(stamp), strand);
      this.#latest.set(sender, strand);
      if (this.#strands.size > this.#strandsMax) this.#raiseFloor();
      return true;
    }
    if (found.order >= order) return false;
    found.order = order;
    return true;
  }

  #find(stamp: Omit<Stamp, 'order'>): Growing | undefined {
    const latest = this.#latest.get(stamp.sender);
    if (
      latest !== undefined &&
      latest.ringSequence === stamp.ringSequence &&
      latest.representative === stamp.representative
    ) {
      return latest;
    }
    const found = this.#strands.get(strandKey(stamp));
    if (found !== undefined) this.#latest.set(stamp.sender, found);
    return found;
  }

  #raiseFloor(): void {
    const sequences = [...this.#strands.values()]
      .map(({ ringSequence }) => ringSequence)
      .sort((a, b) => a - b);
    // An eighth at a time, for each look costs one at all.
    this.#floor = sequences[Math.floor(sequences.length / 8)]!;
    for (const [key, strand] of this.#strands) {
      if (strand.ringSequence <= this.#floor) this.#strands.delete(key);
    }
    for (const [sender, strand] of this.#latest) {
      if (strand.ringSequence <= this.#floor) this.#latest.delete(sender);
    }
  }
}
