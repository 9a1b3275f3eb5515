/**
 * How a group comes to hold the same as the other keepers of a configuration: turns of giving what others lack, and then
 * what is held is copied into the log. See "Merging" in docs/internals/durable.md.
 */
import type { Fill, RingId } from '@rookery/protocol/bus';
import { type Kept, keptOf } from '@rookery/protocol/websocket';
import type { Stream } from '@rookery/storage';
import type { GroupHost } from './group.ts';
import type { Held } from './held.ts';
import type { LogIndex } from './log-index.ts';
import type { Turn } from './plan.ts';
import { lastAmong } from './restating.ts';
import { readSome, records } from './stored.ts';
import { strandKey } from './vector.ts';
import type { View } from './view.ts';

/** The group that is merged. */
export interface Merged {
  readonly name: string;
  readonly host: GroupHost;
  readonly main: Stream;
  readonly held: Held;
  readonly index: LogIndex;
  readonly view: View | undefined;
  /** From another keeper. */
  readonly take: (record: Uint8Array) => void;
  /** Into the log. `isNewest`: nothing in any log is newer. */
  readonly place: (record: Uint8Array, kept: Kept, isNewest: boolean) => void;
  /** It is the last value of its key after all. */
  readonly restate: (record: Uint8Array) => void;
  /** So many were given to others. */
  readonly onGiven: (count: number) => void;
}

/** Some packets: live messages come between. */
const FILL_BYTES = 64 * 1024;
/** Sequences of what is held: it has no place yet. */
export const HELD_LIVE = 0;
export const HELD_FILLED = 1;

export class Merge {
  readonly #merged: Merged;
  #whole = false;
  #turns: readonly Turn[] = [];
  #turn = 0;
  /** Counts configurations: what was begun in an earlier one has no effect. */
  #life = 0;
  #ring: RingId = { representative: 0, sequence: 0 };

  constructor(merged: Merged) {
    this.#merged = merged;
  }

  /** It is over: what comes goes into the log. */
  get whole(): boolean {
    return this.#whole;
  }

  /** A new configuration: what comes is held until it is known what others have. */
  begin(ring: RingId): void {
    this.#life++;
    this.#ring = ring;
    this.#whole = false;
    this.#turns = [];
    this.#turn = 0;
  }

  /** Nobody in this configuration can have anything of it. */
  beginWhole(ring: RingId): void {
    this.begin(ring);
    this.#whole = true;
  }

  /** All daemons have said what they keep, and this is what follows for the group. */
  plan(turns: readonly Turn[], id: number): void {
    this.#turns = turns;
    this.#go(id);
  }

  onFill({ ring, turn, records }: Fill): void {
    if (!this.#isNow(ring, turn)) return;
    for (const record of records) this.#merged.take(record);
  }

  onTurnOver(ring: RingId, turn: number, id: number): void {
    if (!this.#isNow(ring, turn)) return;
    // What the giver has let go of is wanted no longer either; and what was a repeat leaves no trace in a log.
    this.#turn++;
    this.#go(id);
  }

  #isNow(ring: RingId, turn: number): boolean {
    const { representative, sequence } = this.#ring;
    return (
      !this.#whole &&
      ring.representative === representative &&
      ring.sequence === sequence &&
      turn === this.#turn
    );
  }

  #go(id: number): void {
    const turn = this.#turns[this.#turn];
    if (turn === undefined) void this.#drain(this.#life).catch((error) => this.#merged.host.fail(error));
    else if (turn.giver === id) {
      void this.#give(turn, this.#turn, this.#life).catch((error) => this.#merged.host.fail(error));
    }
  }

  /** Configuration by configuration, each in the order of the log: that may have heard of an earlier one later. */
  async #give({ configurations }: Turn, turn: number, life: number): Promise<void> {
    const { name, host, main, held, index, onGiven } = this.#merged;
    const ring = this.#ring;
    let batch: Uint8Array[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const fill = { kind: 'fill', ring, group: name, turn, records: batch } as const;
      while (life === this.#life && batch.length > 0) {
        if (host.submit(fill)) {
          onGiven(batch.length);
          batch = [];
          bytes = 0;
        } else await host.room();
      }
    };
    for (const wants of configurations) {
      const { after, through } = index.rangeOf(wants.values());
      // What is wholly copied stands in the log, and its stream may go at any time.
      const waiting = held.findWaiting(wants.values().next().value!)?.stream;
      for (const [stream, from, to] of [
        [main, after, through],
        [waiting, 0, (waiting?.nextSequence ?? 1) - 1],
      ] as const) {
        if (stream === undefined || to === 0) continue;
        for await (const { record } of records(stream, from, to)) {
          if (life !== this.#life) return;
          const kept = keptOf(record);
          const want = wants.get(strandKey(kept));
          if (want === undefined || kept.order <= want.order) continue;
          batch.push(record);
          bytes += record.length;
          if (bytes >= FILL_BYTES) await flush();
        }
      }
    }
    await flush();
    if (life === this.#life) host.filled(name, turn);
  }

  /**
   * What is held is copied into the log, and let go of when the copies are on the device: were it moved, a power loss
   * that takes one move and leaves the next would put a strand out of order.
   */
  async #drain(life: number): Promise<void> {
    const { host, held, view, place } = this.#merged;
    for (;;) {
      const next = held.next();
      if (next === undefined) {
        if (view === undefined || view.lowered.size === 0) break;
        await this.#restate(view, life);
        if (life !== this.#life) return;
        continue;
      }
      const last = next.stream.nextSequence - 1;
      // Of an earlier configuration: others that lived in it may have stored it.
      const others = next.ringSequence !== this.#ring.sequence;
      const some = await readSome(next.stream, next.copiedThrough);
      if (life !== this.#life) return;
      for (const { sequence, record } of some) {
        // Before each, and nothing in between: other groups are merged at the same time.
        while (host.log.congested) {
          await host.log.sync();
          if (life !== this.#life) return;
        }
        const kept = keptOf(record);
        place(record, kept, !others && kept.sequence === HELD_LIVE);
        next.copiedThrough = sequence;
      }
      // The rest was let go of, after a crash.
      if (some.length === 0) next.copiedThrough = last;
    }
    // In the same turn: what comes from here on goes behind what was held.
    this.#whole = true;
    if (held.streams.length > 0) await held.forgetCopied();
  }

  /** Says again what is the last value of keys whose last value has turned out to be older. */
  async #restate(view: View, life: number): Promise<void> {
    const { host, main, index, restate } = this.#merged;
    const { lowered } = view;
    const values = new Map([...lowered.keys()].map((key) => [key, view.get(key)!]));
    const after = index.placeOfRing([...values.values()].map(({ stamp }) => stamp));
    const last = await lastAmong(values, () => records(main, after));
    if (life !== this.#life) return;
    for (const record of last) {
      while (host.log.congested) {
        await host.log.sync();
        if (life !== this.#life) return;
      }
      restate(record);
    }
  }
}
