/** A reader that goes from keeper to keeper with its cursor, as the client library does. */
import { keptOf, originOf } from '@rookery/protocol/websocket';
import type { SimulatedClock } from '@rookery/testkit';
import type { Subscription } from '../../src/durable/subscription.ts';
import { Vector } from '../../src/durable/vector.ts';
import { Origins } from '../../src/groups/origins.ts';
import { Violation } from '../ring/history.ts';
import { numberOf } from './checker.ts';
import type { Daemon } from './daemon.ts';

/** One that listens at two keepers at once, and takes of both what it has not been given. */
export class PairReader {
  readonly numbers: number[] = [];
  readonly #given = new Vector();
  readonly #origins = new Origins();
  readonly #subscriptions = new Map<Daemon, Subscription>();

  listen(daemon: Daemon): void {
    this.leave(daemon);
    const { group } = daemon;
    if (group === undefined) return;
    const subscription = group.subscribe(
      { position: 0, given: new Vector(this.#given) },
      {
        room: true,
        give: (record) => {
          if (!this.#given.raise(keptOf(record))) return;
          const origin = originOf(record);
          if (origin === undefined || this.#origins.add(origin, true)) this.numbers.push(numberOf(record));
        },
        caughtUp: () => undefined,
        missed: () => {
          throw new Violation('readers', 'a reader missed something, though nothing is let go of');
        },
      },
      undefined,
      'cursor',
    );
    this.#subscriptions.set(daemon, subscription);
    subscription.wake();
  }

  leave(daemon: Daemon): void {
    this.#subscriptions.get(daemon)?.close();
    this.#subscriptions.delete(daemon);
  }
}

export class Reader {
  readonly numbers: number[] = [];
  daemon: Daemon | undefined;
  readonly #clock: SimulatedClock;
  readonly #given = new Vector();
  readonly #origins = new Origins();
  #subscription: Subscription | undefined;
  #room = true;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  async move(daemon: Daemon): Promise<void> {
    this.leave();
    const { group, ring } = daemon;
    if (group === undefined) return;
    const given = new Vector(this.#given);
    const place = await this.#clock.run(group.locate({ kind: 'cursor', given }));
    // It may have crashed meanwhile.
    if (daemon.ring !== ring) return;
    this.daemon = daemon;
    const reader = this;
    this.#subscription = group.subscribe(
      place,
      {
        get room() {
          return reader.#room;
        },
        give: (record) => this.#give(record),
        caughtUp: () => undefined,
        missed: () => {
          throw new Violation('readers', 'a reader missed something, though nothing is let go of');
        },
      },
      undefined,
      'cursor',
    );
    this.#subscription.wake();
  }

  leave(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
    this.daemon = undefined;
  }

  /** It can take more from now on, or can't. */
  turn(room: boolean): void {
    this.#room = room;
    if (room) this.#subscription?.wake();
  }

  #give(record: Uint8Array): void {
    if (!this.#given.raise(keptOf(record))) {
      throw new Violation('readers', `a reader was given ${numberOf(record)}, which its cursor had`);
    }
    const origin = originOf(record);
    if (origin === undefined || this.#origins.add(origin, true)) this.numbers.push(numberOf(record));
  }
}
