/** A reader that follows last values, and is given the view again when it goes to another keeper. */
import { keptOf, keyAndDataOf } from '@rookery/protocol/websocket';
import type { Subscription } from '../../src/durable/subscription.ts';
import { compareStamps, Vector } from '../../src/durable/vector.ts';
import { Violation } from '../ring/history.ts';
import { numberOf } from './checker.ts';
import type { Daemon } from './daemon.ts';

/** A value that gave way to one with an older stamp. */
export interface StepBack {
  readonly daemon: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export class Follower {
  readonly stepsBack: StepBack[] = [];
  readonly values = new Map<string, number>();
  daemon: Daemon | undefined;
  #subscription: Subscription | undefined;
  #room = true;

  move(daemon: Daemon): void {
    this.leave();
    const { group } = daemon;
    if (group === undefined) return;
    this.daemon = daemon;
    const follower = this;
    const given = new Map<string, Uint8Array>();
    this.#subscription = group.subscribe(
      { position: 0, given: new Vector() },
      {
        get room() {
          return follower.#room;
        },
        give: (record) => {
          const { key } = keyAndDataOf(record);
          if (key === '') return;
          const kept = keptOf(record);
          const before = given.get(key);
          given.set(key, record);
          follower.values.set(key, numberOf(record));
          if (before === undefined || compareStamps(kept, keptOf(before)) > 0) return;
          follower.stepsBack.push({ daemon: daemon.id, from: before, to: record });
        },
        caughtUp: () => undefined,
        missed: () => {
          throw new Violation('followers', 'a follower missed something, though nothing is let go of');
        },
      },
      undefined,
      'view_again',
    );
    this.#subscription.wake();
  }

  leave(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
    this.daemon = undefined;
  }

  turn(room: boolean): void {
    this.#room = room;
    if (room) this.#subscription?.wake();
  }
}
