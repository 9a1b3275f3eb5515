/** What a program reads of a group that daemons keep: from where it wants, also at another daemon, without gap or double. */
import { decodeCursor, encodeCursor, type Filter, type From } from '@rookery/protocol/websocket';
import { Vector } from '../durable/vector.ts';
import { Origins } from '../groups/origins.ts';
import type { ArrivedEvent, CaughtUp, KeptMessage, Missed } from './events.ts';
import type { Reader } from './reader.ts';
import type { Asked } from './requests.ts';

export interface SubscribeOptions {
  /** Default `now`. `{ cursor }`: behind what was read before, at this daemon or another. */
  readonly from?: From;
  /** Default: all. */
  readonly filter?: Filter;
  /**
   * First the last value of each key, as of now, and then what becomes one. With `from`, a cursor: again, and with the
   * keys that have ended, for who has read a view before. When the session is lost, that is what it goes on with.
   */
  readonly lastValue?: boolean;
}

export type SubscriptionEvent = KeptMessage | CaughtUp | Missed;

/**
 * Iterate it to read. When the session is lost, or its daemon, it goes on at the next one behind what was read. Ending a
 * loop loses nothing, the next one goes on. It ends when it is closed, or the bus is.
 */
export interface Subscription extends AsyncIterable<SubscriptionEvent> {
  readonly group: string;
  next(): Promise<IteratorResult<SubscriptionEvent, undefined>>;
  /** Behind what was read until now: store it, and begin there another time. Undefined while that isn't known yet. */
  readonly cursor: string | undefined;
  /** What hasn't been read is dropped. */
  close(): Promise<void>;
}

/** One subscription over all sessions that it takes. */
export class SubscriptionState {
  readonly group: string;
  readonly reader: Reader;
  /** The request that the present session was asked with. */
  number = 0;
  /** The present session has found its place: what comes is for it. */
  begun = false;
  readonly #options: SubscribeOptions;
  /** A publisher that is sent to the other side of a cut may repeat there what was read here. */
  readonly #origins = new Origins();
  #given: Vector | undefined;
  #viewed: boolean;

  constructor(group: string, options: SubscribeOptions, reader: Reader) {
    this.group = group;
    this.reader = reader;
    this.#options = options;
    this.#viewed = options.lastValue !== true;
  }

  /** What to ask of a session that doesn't know it. */
  request(): Exclude<Asked, Uint8Array> {
    const { from = 'now', filter = {}, lastValue = false } = this.#options;
    const { group } = this;
    const given = this.#given;
    if (given !== undefined) {
      const cursor = encodeCursor({ floor: given.floor, strands: given });
      return { kind: 'subscribe', group, from: { cursor }, filter, lastValue };
    }
    return { kind: 'subscribe', group, from, filter, lastValue };
  }

  /** The daemon has found the place. */
  begin(cursor: string): void {
    const given = decodeCursor(cursor);
    this.begun = true;
    if (given === undefined) return;
    if (this.#options.lastValue !== true) this.#given ??= new Vector(given.strands, given.floor);
    else {
      this.#given = new Vector(given.strands, given.floor);
      this.#viewed = false;
    }
  }

  get cursor(): string | undefined {
    const given = this.#given;
    if (given === undefined || !this.#viewed) return undefined;
    return encodeCursor({ floor: given.floor, strands: given });
  }

  // hot: once per message.
  /** The program takes it; false if it was given to it before. */
  take(event: ArrivedEvent): boolean {
    if (event.kind === 'caught_up') this.#viewed = true;
    if (event.kind !== 'message' || event.kept === undefined) return true;
    this.#given?.raise(event.kept);
    // What follows last values is told one again when it turns out to be the last one after all.
    if (event.origin === undefined || this.#options.lastValue === true) return true;
    return this.#origins.add(event.origin, true);
  }
}

export function createSubscription(state: SubscriptionState, close: () => Promise<void>): Subscription {
  const next: Subscription['next'] = () => state.reader.next() as ReturnType<Subscription['next']>;
  return {
    group: state.group,
    next,
    get cursor() {
      return state.cursor;
    },
    close,
    [Symbol.asyncIterator]: () => ({ next }),
  };
}
