/** Who reads what: group by group, or the session as one. */
import { Deliveries, type Entry } from './deliveries.ts';
import { BusError } from './errors.ts';
import type { ArrivedEvent, Lost } from './events.ts';
import { Reader } from './reader.ts';
import type { SubscriptionState } from './subscription.ts';

export class Readers {
  readonly deliveries: Deliveries = new Deliveries();
  readonly #onTaken: () => void;
  readonly #groups = new Map<string, Reader>();
  /** Leaves of a group that are not done: until then what comes is from before. */
  readonly #leaving = new Map<string, number>();
  readonly #subscriptions = new Map<string, SubscriptionState>();
  #inbox: Reader | undefined;
  #all: Reader | undefined;
  #end: { readonly error: BusError | undefined } | undefined;

  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  get groups(): ReadonlyMap<string, Reader> {
    return this.#groups;
  }

  open(group: string): Reader {
    const reader = this.#make(true);
    this.#groups.set(group, reader);
    return reader;
  }

  /** It is being left, and what waits for it is dropped. False if it is not read any more. */
  leave(group: string, reader: Reader): boolean {
    if (this.#groups.get(group) !== reader) return false;
    this.#groups.delete(group);
    reader.end();
    reader.discard();
    this.#leaving.set(group, (this.#leaving.get(group) ?? 0) + 1);
    return true;
  }

  left(group: string): void {
    const left = (this.#leaving.get(group) ?? 0) - 1;
    if (left > 0) this.#leaving.set(group, left);
    else this.#leaving.delete(group);
  }

  /** It could not be joined. */
  forget(group: string, reader: Reader, error: BusError): void {
    reader.end(error);
    if (this.#groups.get(group) === reader) this.#groups.delete(group);
  }

  get subscriptions(): ReadonlyMap<string, SubscriptionState> {
    return this.#subscriptions;
  }

  /** Read by itself, also when the session is read as one. */
  subscribe(make: (reader: Reader) => SubscriptionState): SubscriptionState {
    // Taken at once and not when a promise is: the session may be lost in between, and ask again behind what was taken.
    const reader = this.#make(false, (event) => state.take(event));
    const state: SubscriptionState = make(reader);
    if (this.#end !== undefined) state.reader.end(this.#end.error);
    this.#subscriptions.set(state.group, state);
    return state;
  }

  /** What waits for it is dropped. False if it is closed already. */
  unsubscribe(state: SubscriptionState, error?: BusError): boolean {
    if (this.#subscriptions.get(state.group) !== state) return false;
    this.#subscriptions.delete(state.group);
    state.reader.end(error);
    state.reader.discard();
    return true;
  }

  inbox(): Reader {
    this.#inbox ??= this.#make(true);
    return this.#inbox;
  }

  /** Takes over what the others have not read. */
  all(): Reader {
    if (this.#all !== undefined) return this.#all;
    const waiting = this.deliveries.waiting().filter(({ event }) => event !== undefined && !isKept(event));
    for (const entry of waiting) entry.waiting = 0;
    for (const reader of this.#open()) reader.handOver(readAsOne());
    const all = this.#make(false);
    for (const entry of waiting) all.push(entry);
    if (this.#end !== undefined) all.end(this.#end.error);
    this.#all = all;
    return all;
  }

  /** `session` is the name of this one. Call `deliveries.settle` afterwards. */
  // hot: once per message.
  give(entry: Entry, event: ArrivedEvent, session: string | undefined): void {
    if (isKept(event)) {
      const group = keptGroupOf(event);
      const state = this.#subscriptions.get(group);
      // What comes before its beginning is from one that was closed.
      if (state?.begun) state.reader.push(entry);
    } else if (this.#all !== undefined) {
      this.#all.push(entry);
    } else if (event.kind === 'message') {
      const { groups } = event;
      for (let index = 0; index < groups.length; index++) {
        const group = groups[index]!;
        if (index === 0 || groups.indexOf(group) === index) this.#readerOf(group, session)?.push(entry);
      }
    } else if ('group' in event && event.kind !== 'left') {
      this.#readerOf(event.group, session)?.push(entry);
    }
    if (event.kind === 'left') this.left(event.group);
  }

  /** The session has ended: what comes is numbered anew. */
  lose(event: Lost): void {
    const readers = this.#open();
    // It is asked for again behind what was read.
    for (const state of this.#subscriptions.values()) {
      state.begun = false;
      state.reader.discard();
    }
    // What followed a loss that nobody has read of is part of it: else a program that doesn't read fills its memory.
    if (this.deliveries.collapse()) for (const reader of readers) reader.prune();
    const entry = this.deliveries.insert(event);
    for (const reader of readers) reader.push(entry);
    this.deliveries.settle();
    this.deliveries.begin();
    this.#leaving.clear();
  }

  /** What is kept can still be read. */
  end(error: BusError | undefined): void {
    this.#end = { error };
    for (const reader of this.#open()) reader.end(error);
    for (const { reader } of this.#subscriptions.values()) reader.end(error);
  }

  #make(apart: boolean, take?: (event: ArrivedEvent) => boolean): Reader {
    const reader = new Reader(this.deliveries, this.#onTaken, take);
    if (apart && this.#all !== undefined) reader.end(readAsOne());
    else if (apart && this.#end !== undefined) reader.end(this.#end.error);
    return reader;
  }

  #open(): Reader[] {
    return [...this.#groups.values(), this.#inbox, this.#all].filter((reader) => reader !== undefined);
  }

  #readerOf(group: string, session: string | undefined): Reader | undefined {
    if (group === session) return this.#inbox;
    return this.#leaving.size > 0 && this.#leaving.has(group) ? undefined : this.#groups.get(group);
  }
}

/** It is a subscription's. */
function isKept(event: ArrivedEvent): boolean {
  const { kind } = event;
  return kind === 'message' ? event.kept !== undefined : kind === 'caught_up' || kind === 'missed';
}

function keptGroupOf(event: ArrivedEvent): string {
  if (event.kind === 'message') return event.groups[event.kept?.groupIndex ?? 0]!;
  return 'group' in event ? event.group : '';
}

function readAsOne(): BusError {
  return new BusError('NOT_READABLE', 'the whole session is read instead: see its loop');
}
