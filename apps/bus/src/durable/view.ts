/** The last value of each key: what a listener that comes late has to know. Pure. */
import type { Kept, Stamp } from '@rookery/protocol/websocket';
import { compareStamps } from './vector.ts';

export interface Value {
  readonly stamp: Stamp;
  /** In the log. */
  readonly sequence: number;
  /** Empty where the key has ended. */
  readonly record: Uint8Array;
}

const ENDED = new Uint8Array(0);

export class View {
  readonly #values = new Map<string, Value>();
  readonly #keysMax: number;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#values.size;
  }

  /**
   * The record is copied. Gives the value that is no longer the last one: the one before, or this one if it is older,
   * as what comes from the other side of a cut may be.
   */
  // hot: once per message with a key.
  put(key: string, data: Uint8Array, kept: Kept, sequence: number, record: Uint8Array): Value | undefined {
    const before = this.#values.get(key);
    const value = { stamp: kept, sequence, record: data.length === 0 ? ENDED : record.slice() };
    if (before !== undefined && compareStamps(before.stamp, kept) > 0) return value;
    // Last in the map is what was changed last.
    if (before !== undefined) this.#values.delete(key);
    this.#values.set(key, value);
    if (before !== undefined || this.#values.size <= this.#keysMax) return before;
    const [oldest, dropped] = this.#values.entries().next().value!;
    this.#values.delete(oldest);
    return dropped;
  }

  /** Whether a message with this stamp would be the last one of the key. */
  isNewer(key: string, stamp: Stamp): boolean {
    if (key === '') return false;
    const value = this.#values.get(key);
    return value === undefined || compareStamps(stamp, value.stamp) > 0;
  }

  /** Records of all keys that have a value, those first that were changed longest ago. */
  records(): Uint8Array[] {
    const records: Uint8Array[] = [];
    for (const { record } of this.#values.values()) if (record.length > 0) records.push(record);
    return records;
  }

  /** Sequences of values that stand up to a sequence, ascending. Keys that ended there are forgotten. */
  sequencesThrough(sequence: number): number[] {
    const sequences: number[] = [];
    for (const [key, value] of this.#values) {
      if (value.sequence > sequence) continue;
      if (value.record.length === 0) this.#values.delete(key);
      else sequences.push(value.sequence);
    }
    return sequences.sort((a, b) => a - b);
  }
}
