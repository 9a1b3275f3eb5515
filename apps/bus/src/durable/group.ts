/**
 * One kept group: its streams of the log, what is known of them, and who listens. What comes is placed here: into the
 * log, behind what is held while a merge lasts, or nowhere if it is there. See docs/internals/durable.md.
 */
import type { Fill } from '@rookery/protocol/bus';
import {
  EncodeError,
  encodeRecord,
  isKeptRecord,
  type Kept,
  keptOf,
  keyAndDataOf,
  originOf,
  renumbered,
} from '@rookery/protocol/websocket';
import type { Log, Stream } from '@rookery/storage';
import { Origins } from '../groups/origins.ts';
import type { Ordered } from '../groups/types.ts';
import { Checkpoints, recordsAt, VERSION } from './checkpoint.ts';
import type { Matches } from './filter.ts';
import { Held } from './held.ts';
import { LogIndex, type Mark } from './log-index.ts';
import { HELD_FILLED, HELD_LIVE, Merge } from './merge.ts';
import type { DurableSettings } from './settings.ts';
import { type Note, readSome, records, type Stored, unbroken, withNote } from './stored.ts';
import { type Listener, type Source, Subscription } from './subscription.ts';
import { Vector } from './vector.ts';
import { type Value, View } from './view.ts';

/** What a group needs of its daemon. */
export interface GroupHost {
  readonly log: Log;
  /** ms since 1970. */
  now(): number;
  /** To all daemons. False: the ring's queue is full for now; `room` resolves when it may be tried again. */
  submit(event: Fill): boolean;
  filled(group: string, turn: number): void;
  room(): Promise<void>;
  /** Something was appended: `onCommit` is to be called. */
  appended(group: KeptGroup): void;
  /** The log can't be read or written any more. */
  fail(error: unknown): void;
}

export interface Place {
  readonly position: number;
  /** What stands in the log up to there. */
  readonly given: Vector;
}

export type Begin =
  | { readonly kind: 'start' | 'now' }
  | { readonly kind: 'sequence'; readonly sequence: number }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'cursor'; readonly given: Vector };

const NOTHING = new Uint8Array(0);
/** Beyond it a checkpoint would hold up what comes for too long, and the log is read from beginning to end. */
const CHECKPOINT_KEYS = 200_000;

export class KeptGroup implements Source {
  readonly name: string;
  readonly settings: DurableSettings;
  readonly #host: GroupHost;
  readonly #main: Stream;
  readonly #held: Held;
  readonly #index: LogIndex;
  readonly #vector = new Vector();
  readonly #origins = new Origins();
  readonly #view: View | undefined;
  readonly #subscriptions = new Set<Subscription>();
  /** With the other keepers of a configuration; from its beginning until it is whole, what comes is held. */
  readonly merge: Merge;
  readonly #checkpoints: Checkpoints;
  #checkpointed = 0;
  #trimmedThrough: number;
  readonly #uncommitted: { readonly position: number; readonly stored: Stored }[] = [];
  /** The last one that is committed. */
  #tail: number;
  readonly counters = { stored: 0, repeated: 0, filled: 0, given: 0, undeliverable: 0, restated: 0 };

  private constructor(name: string, settings: DurableSettings, host: GroupHost) {
    const { log } = host;
    this.name = name;
    this.settings = settings;
    this.#host = host;
    this.#main = log.streams.get(`k:${name}`) ?? log.createStream(`k:${name}`);
    this.#held = new Held(log, name);
    this.#checkpoints = new Checkpoints(log, name);
    this.#index = new LogIndex(
      settings.retentionMs > 0 ? Math.max(1000, settings.retentionMs / 64) : 3_600_000,
    );
    this.#view = settings.lastValue ? new View(settings.lastValueKeys) : undefined;
    this.#trimmedThrough = this.#main.acknowledgedThrough;
    this.#tail = this.#main.nextSequence - 1;
    this.merge = new Merge({
      name,
      host,
      main: this.#main,
      held: this.#held,
      index: this.#index,
      view: this.#view,
      take: (record) => this.#onFilled(record),
      place: (record, kept, isNewest) => this.#place(record, kept, isNewest),
      restate: (record) => {
        this.counters.restated++;
        this.#append(renumbered(record, this.#main.nextSequence), 'restated');
      },
      onGiven: (count) => {
        this.counters.given += count;
      },
    });
  }

  /** For a group that has nothing yet. */
  static create(name: string, settings: DurableSettings, host: GroupHost): KeptGroup {
    return new KeptGroup(name, settings, host);
  }

  /** Reads what the log has of it. @throws LogError */
  static async open(name: string, settings: DurableSettings, host: GroupHost): Promise<KeptGroup> {
    const group = new KeptGroup(name, settings, host);
    const after = await group.#restore();
    for await (const stored of unbroken(group.#main, after)) {
      const { record } = stored;
      group.#vector.raise(keptOf(record));
      const origin = originOf(record);
      if (origin !== undefined) group.#origins.add(origin, true);
      group.#enter(stored);
    }
    for (const { stream } of group.#held.streams) {
      for await (const { sequence, record } of unbroken(stream)) {
        // Copied into the log before the crash, or else it counts from here.
        if (!group.#vector.raise(keptOf(record))) stream.acknowledgeSequence(sequence);
      }
    }
    return group;
  }

  // ---- Checkpoints

  /** From a checkpoint; gives the sequence that it tells of, 0 if there is none. */
  async #restore(): Promise<number> {
    const checkpoint = await this.#checkpoints.read();
    // Settings may have changed, and a log that is shorter than it was is not the one that was told of.
    if (checkpoint === undefined || checkpoint.sequence >= this.#main.nextSequence) return 0;
    if ((checkpoint.view === undefined) !== (this.#view === undefined)) return 0;
    const { sequence, index, origins, view = [] } = checkpoint;
    this.#index.restore(index);
    this.#index.trim(this.#trimmedThrough);
    for (const strand of this.#index.vector) this.#vector.raise(strand);
    this.#origins.restore(origins);
    this.#checkpointed = sequence;
    if (this.#view === undefined) return sequence;
    const values = new Map<number, Value>();
    const places = view.map((one) => one.sequence).sort((a, b) => a - b);
    for await (const { sequence: at, record } of recordsAt(this.#main, places)) {
      const ended = keyAndDataOf(record).data.length === 0;
      values.set(at, { stamp: keptOf(record), sequence: at, record: record.slice(), ended });
    }
    this.#view.restore(view, values);
    return sequence;
  }

  /** If enough has come since the last one, and no merge is under way. */
  async checkpoint(messages: number): Promise<void> {
    const sequence = this.#main.nextSequence - 1;
    if (!this.merge.whole || this.#held.streams.length > 0 || sequence - this.#checkpointed < messages)
      return;
    if (this.#view !== undefined && (this.#view.lowered.size > 0 || this.#view.size > CHECKPOINT_KEYS))
      return;
    this.#checkpointed = sequence;
    const [index, origins, view] = [this.#index.state, this.#origins.state, this.#view?.state];
    await this.#checkpoints.write({ version: VERSION, sequence, index, origins, view });
  }

  // ---- What is there

  get vector(): Vector {
    return this.#vector;
  }

  get whole(): boolean {
    return this.merge.whole;
  }

  /** Of the last message that readers may see. */
  get tail(): number {
    return this.#tail;
  }

  get trimmedThrough(): number {
    return this.#trimmedThrough;
  }

  get count(): number {
    return this.#main.liveCount;
  }

  get bytes(): number {
    return this.#main.livePayloadBytes;
  }

  get heldCount(): number {
    return this.#held.count;
  }

  get keys(): number {
    return this.#view?.size ?? 0;
  }

  /** ms since 1970, 0 for none. */
  get oldestMs(): number {
    return this.#index.oldestMs;
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Who is not at the end of the log: it reads what was kept, or takes less than comes. */
  get behind(): number {
    let count = 0;
    for (const { isLive } of this.#subscriptions) if (!isLive) count++;
    return count;
  }

  // ---- What comes

  // hot: once per message.
  onMessage({ message, service, groupIndex, stamp }: Ordered): void {
    if (!this.#vector.raise(stamp)) return;
    const { origin } = message;
    if (this.merge.whole && origin !== undefined && !this.#origins.add(origin, false)) {
      this.counters.repeated++;
      return;
    }
    const sequence = this.merge.whole ? this.#main.nextSequence : HELD_LIVE;
    let record: Uint8Array;
    try {
      record = encodeRecord({
        sender: message.session,
        groups: message.groups,
        service,
        messageType: message.messageType,
        key: message.key,
        selfDiscard: message.selfDiscard,
        bigEndian: message.bigEndian,
        origin,
        kept: { ...stamp, sequence, timeMs: this.#host.now(), groupIndex },
        data: message.data,
      });
    } catch (error) {
      // What another daemon let through has no place in a wire of clients.
      if (!(error instanceof EncodeError)) throw error;
      this.counters.undeliverable++;
      return;
    }
    this.counters.stored++;
    if (this.merge.whole) this.#append(record, 'shown');
    else this.#held.append(record, stamp);
  }

  /** Gives what came from another keeper its place, if it is new. */
  #onFilled(record: Uint8Array): void {
    if (!isKeptRecord(record)) return;
    const kept = keptOf(record);
    if (!this.#vector.raise(kept)) return;
    this.counters.filled++;
    if (this.#held.hasBefore(kept)) this.#held.append(renumbered(record, HELD_FILLED), kept);
    else this.#place(record, kept, false);
  }

  /**
   * Into the log, if it is new. A repeat is one message with another, and as old as the oldest of its copies: so what a
   * merge brings may make it older, and then it may not be the last value of its key any more. `isNewest`: nothing in
   * any log is newer, so a repeat tells nothing.
   */
  #place(record: Uint8Array, kept: Kept, isNewest: boolean): void {
    const origin = originOf(record);
    const isRepeat = origin !== undefined && !this.#origins.add(origin, true);
    const key = this.#view === undefined ? '' : keyAndDataOf(record).key;
    if (isRepeat) {
      this.counters.repeated++;
      if (isNewest || key === '') return;
    }
    const note = isRepeat ? 'repeat' : this.#view?.isPast(key, kept) ? 'late' : 'shown';
    this.#append(renumbered(record, this.#main.nextSequence), note);
  }

  #append(record: Uint8Array, note: Note): void {
    const bytes = withNote(record, note);
    const { sequence } = this.#main.append(NOTHING, bytes, 0, bytes.length);
    const stored = { sequence, record, note };
    this.#enter(stored);
    if (this.#uncommitted.length === 0) this.#host.appended(this);
    this.#uncommitted.push({ position: this.#host.log.position, stored });
  }

  /** Nobody is given what this daemon could lose. True when nothing is left to commit. */
  onCommit(position: number): boolean {
    const receivers = this.#subscriptions.size;
    let count = 0;
    for (; count < this.#uncommitted.length; count++) {
      const { position: at, stored } = this.#uncommitted[count]!;
      if (at > position) break;
      this.#tail = stored.sequence;
      for (const subscription of this.#subscriptions) subscription.append(stored, receivers);
    }
    this.#uncommitted.splice(0, count);
    for (const subscription of this.#subscriptions) subscription.wake();
    return this.#uncommitted.length === 0;
  }

  /** What is known of the log, of a record that stands in it. */
  #enter({ sequence, record, note }: Stored): void {
    const kept = keptOf(record);
    this.#index.add(kept, sequence, record.length);
    if (this.#view === undefined) return;
    const { key, data } = keyAndDataOf(record);
    if (key === '') return;
    const passed = this.#view.put(key, { stamp: kept, sequence, record, ended: data.length === 0 }, note);
    // It was spared when what stood beside it was let go of.
    if (passed !== undefined && passed.sequence <= this.#trimmedThrough) {
      this.#main.acknowledgeSequence(passed.sequence);
    }
  }

  // ---- Reading

  /** Where to begin, and what stands before it. */
  async locate(begin: Begin): Promise<Place> {
    switch (begin.kind) {
      case 'now':
        return this.#end;
      case 'cursor':
        return { position: this.#index.placeOf(begin.given), given: begin.given };
      case 'start':
        return this.#seek(
          (mark) => mark.sequence <= this.#trimmedThrough,
          () => true,
        );
      case 'last':
        return this.#seekSequence(this.tail - begin.count);
      case 'sequence':
        return this.#seekSequence(begin.sequence - 1);
      case 'time':
        return this.#seek(
          (mark) => mark.timeMs < begin.timeMs,
          (_, timeMs) => timeMs >= begin.timeMs,
        );
    }
  }

  /** Behind all that stands there, also if it isn't committed yet. */
  get #end(): Place {
    return { position: this.#main.nextSequence - 1, given: this.#index.vector };
  }

  #seekSequence(before: number): Promise<Place> {
    return this.#seek(
      (mark) => mark.sequence <= before,
      (sequence) => sequence > before,
    );
  }

  async #seek(
    near: (mark: Mark) => boolean,
    reached: (sequence: number, timeMs: number) => boolean,
  ): Promise<Place> {
    const mark = this.#index.lastMark(near) ?? this.#index.first;
    const given = this.#index.vectorAt(mark);
    let position = Math.max(mark.sequence, this.#trimmedThrough);
    for await (const { sequence, record } of records(this.#main, position)) {
      const kept = keptOf(record);
      if (reached(sequence, kept.timeMs)) break;
      given.raise(kept);
      position = sequence;
    }
    return { position, given };
  }

  /**
   * `cursor`: what is there is passed over where the reader was given it. `view`: the last values come first, and then
   * what becomes one; `view_again`: with the keys that have ended.
   */
  subscribe(
    place: Place,
    listener: Listener,
    matches: Matches | undefined,
    how: 'cursor' | 'view' | 'view_again' | 'place',
  ): Subscription {
    const follows = how === 'view' || how === 'view_again';
    const subscription = new Subscription({
      source: this,
      listener,
      matches,
      position: follows ? this.#end.position : place.position,
      given: how === 'cursor' ? place.given : undefined,
      view: follows ? this.#view?.records(how === 'view_again') : undefined,
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Records, those first whose keys were changed longest ago. */
  lastValues(): Uint8Array[] {
    return this.#view?.records(false) ?? [];
  }

  get hasView(): boolean {
    return this.#view !== undefined;
  }

  read(after: number): Promise<Stored[]> {
    return readSome(this.#main, after, this.#tail);
  }

  isGiven(vector: Vector, record: Uint8Array): boolean {
    return vector.has(keptOf(record));
  }

  onReadFailed(error: unknown): void {
    this.#host.fail(error);
  }

  forget(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
  }

  // ---- Retention

  /** Lets go of what is too old, or too much; once a second. */
  trim(now: number): void {
    const { retentionMs, retentionBytes } = this.settings;
    const { bytes } = this.#index.last;
    const due = this.#index.lastMark(
      (mark) =>
        (retentionMs > 0 && mark.timeMs < now - retentionMs) ||
        (retentionBytes > 0 && bytes - mark.bytes >= retentionBytes),
    );
    if (due === undefined || due.sequence <= this.#trimmedThrough) return;
    const spared = this.#view?.sequencesThrough(due.sequence) ?? [];
    let from = this.#main.acknowledgedThrough + 1;
    for (const sequence of [...spared, due.sequence + 1]) {
      if (sequence > from) this.#main.acknowledgeRange(from, sequence - 1);
      from = sequence + 1;
    }
    this.#trimmedThrough = due.sequence;
    this.#index.trim(due.sequence);
  }
}
