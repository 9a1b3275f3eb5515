/** The last value of each key: what a listener that comes late has to know. Pure. */
import { isSameOrigin, type Stamp } from '@rookery/protocol/websocket';
import type { Note } from './stored.ts';
import { compareStamps } from './vector.ts';

export interface Value {
  /** Of the oldest of the message's copies that is known. */
  readonly stamp: Stamp;
  /** In the log, of that copy. */
  readonly sequence: number;
  readonly record: Uint8Array;
  /** It has no data: the key has ended. */
  readonly ended: boolean;
}

/** Those first that were changed longest ago; the records stand in the log. */
export type ViewState = readonly { readonly key: string; readonly sequence: number }[];

export class View {
  readonly #values = new Map<string, Value>();
  readonly #keysMax: number;
  /**
   * Keys whose last value has turned out to be older than it was taken for, with the stamp it was taken for: what is
   * between may be the last value now, and only the log knows it.
   */
  readonly #lowered = new Map<string, Stamp>();

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#values.size;
  }

  get lowered(): ReadonlyMap<string, Stamp> {
    return this.#lowered;
  }

  get state(): ViewState {
    return [...this.#values].map(([key, { sequence }]) => ({ key, sequence }));
  }

  /** For one that is empty. What isn't given was let go of since: a newer value comes. */
  restore(state: ViewState, values: ReadonlyMap<number, Value>): void {
    for (const { key, sequence } of state) {
      const value = values.get(sequence);
      if (value !== undefined) this.#values.set(key, value);
    }
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /**
   * The record is copied. Gives the value that is no longer the last one: the one before, or this one if it is older,
   * as what comes from the other side of a cut may be.
   */
  // hot: once per message with a key.
  put(key: string, value: Value, note: Note): Value | undefined {
    if (note === 'restated') this.#lowered.delete(key);
    const before = this.#values.get(key);
    const newer = before === undefined ? 1 : compareStamps(value.stamp, before.stamp);
    if (before !== undefined && newer !== 0 && isSameOrigin(before.record, value.record)) {
      if (newer > 0) return value;
      this.#lower(key, before.stamp);
    } else if (note === 'repeat' || newer < 0) return value;
    else if (this.#lowered.size > 0) this.#settle(key, value.stamp);
    // Last in the map is what was changed last.
    if (before !== undefined) this.#values.delete(key);
    this.#values.set(key, { ...value, record: value.record.slice() });
    if (before !== undefined || this.#values.size <= this.#keysMax) return before;
    const [oldest, dropped] = this.#values.entries().next().value!;
    this.#forget(oldest);
    return dropped;
  }

  #lower(key: string, from: Stamp): void {
    const known = this.#lowered.get(key);
    if (known === undefined || compareStamps(from, known) > 0) this.#lowered.set(key, from);
  }

  #settle(key: string, stamp: Stamp): void {
    const from = this.#lowered.get(key);
    if (from !== undefined && compareStamps(stamp, from) > 0) this.#lowered.delete(key);
  }

  #forget(key: string): void {
    this.#values.delete(key);
    this.#lowered.delete(key);
  }

  /** Whether the key has a newer value than a message with this stamp. */
  isPast(key: string, stamp: Stamp): boolean {
    const value = key === '' ? undefined : this.#values.get(key);
    return value !== undefined && compareStamps(stamp, value.stamp) < 0;
  }

  /** Records of all keys that have a value, those first that were changed longest ago; `ended`: and that had one. */
  records(ended: boolean): Uint8Array[] {
    const records: Uint8Array[] = [];
    for (const value of this.#values.values()) if (ended || !value.ended) records.push(value.record);
    return records;
  }

  /** Sequences of values that stand up to a sequence, ascending. Keys that ended there are forgotten. */
  sequencesThrough(sequence: number): number[] {
    const sequences: number[] = [];
    for (const [key, value] of this.#values) {
      if (value.sequence > sequence) continue;
      if (value.ended) this.#forget(key);
      else sequences.push(value.sequence);
    }
    return sequences.sort((a, b) => a - b);
  }
}
