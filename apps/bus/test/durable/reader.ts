/** Who reads the group in the simulator, at one daemon after another, keepers and others, as the client library does. */
import { encodeCursor, keptOf, keyAndDataOf, originOf } from '@rookery/protocol/websocket';
import type { Reading, ReadRequest } from '../../src/durable/reading/reading.ts';
import { compareStamps, Vector } from '../../src/durable/vector.ts';
import { Origins } from '../../src/groups/origins.ts';
import { Violation } from '../ring/history.ts';
import { numberOf } from './checker.ts';
import type { Daemon } from './daemon.ts';

interface SeatOptions {
  readonly request: () => Omit<ReadRequest, 'group' | 'filter'>;
  readonly give: (record: Uint8Array, daemon: Daemon) => void;
  /** It begins here, or goes on at another keeper. */
  readonly located?: () => void;
}

/** One reading, at one daemon at a time. */
export class Seat {
  daemon: Daemon | undefined;
  /** Messages that it was given at daemons that keep nothing. */
  elsewhere = 0;
  readonly #options: SeatOptions;
  #reading: Reading | undefined;
  #room = true;

  constructor(options: SeatOptions) {
    this.#options = options;
  }

  move(daemon: Daemon): void {
    this.leave();
    const { request, give, located } = this.#options;
    const seat = this;
    this.#reading = daemon.read(request(), {
      get room() {
        return seat.#room;
      },
      located: () => located?.(),
      give: (record) => {
        if (seat.daemon !== daemon)
          throw new Violation('readers', 'one was given something after it had left');
        if (!daemon.keeps) seat.elsewhere++;
        give(record, daemon);
      },
      begin: () => true,
      end: () => undefined,
      caughtUp: () => undefined,
      missed: () => {
        throw new Violation('readers', 'one missed something, though nothing is let go of');
      },
    });
    if (this.#reading !== undefined) this.daemon = daemon;
  }

  leave(): void {
    this.#reading?.close();
    this.#reading = undefined;
    this.daemon = undefined;
  }

  /** It can take more from now on, or can't. */
  turn(room: boolean): void {
    this.#room = room;
    if (room) this.#reading?.wake();
  }
}

/** What was read, whatever way. */
class Heard {
  readonly numbers: number[] = [];
  readonly #given = new Vector();
  readonly #origins = new Origins();

  request(): ReturnType<SeatOptions['request']> {
    const cursor = encodeCursor({ floor: this.#given.floor, strands: this.#given });
    return { from: { cursor }, lastValue: false };
  }

  /** False if its cursor had it. */
  take(record: Uint8Array): boolean {
    if (!this.#given.raise(keptOf(record))) return false;
    const origin = originOf(record);
    if (origin === undefined || this.#origins.add(origin, true)) this.numbers.push(numberOf(record));
    return true;
  }
}

export class Reader {
  readonly #heard = new Heard();
  readonly seat: Seat = new Seat({
    request: () => this.#heard.request(),
    give: (record) => {
      if (this.#heard.take(record)) return;
      throw new Violation('readers', `a reader was given ${numberOf(record)}, which its cursor had`);
    },
  });

  get numbers(): readonly number[] {
    return this.#heard.numbers;
  }
}

/** One that listens at several daemons at once, and takes of all what it has not been given. */
export class PairReader {
  readonly #heard = new Heard();
  readonly #seats = new Map<Daemon, Seat>();

  listen(daemon: Daemon): void {
    let seat = this.#seats.get(daemon);
    if (seat === undefined) {
      const heard = this.#heard;
      seat = new Seat({ request: () => heard.request(), give: (record) => void heard.take(record) });
      this.#seats.set(daemon, seat);
    }
    seat.move(daemon);
  }

  leave(daemon: Daemon): void {
    this.#seats.get(daemon)?.leave();
  }

  get numbers(): readonly number[] {
    return this.#heard.numbers;
  }
}

/** A value that gave way to one with an older stamp. */
export interface StepBack {
  readonly daemon: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Follows last values, and is given the view again when it goes to another keeper. */
export class Follower {
  readonly stepsBack: StepBack[] = [];
  readonly values = new Map<string, number>();
  readonly #given = new Map<string, Uint8Array>();
  readonly seat: Seat = new Seat({
    // It has seen a view before, perhaps: so it is told of keys that have ended, too.
    request: () => ({ from: { cursor: NOTHING }, lastValue: true }),
    located: () => this.#given.clear(),
    give: (record, daemon) => this.#take(record, daemon),
  });

  #take(record: Uint8Array, daemon: Daemon): void {
    const { key } = keyAndDataOf(record);
    if (key === '') return;
    const before = this.#given.get(key);
    this.#given.set(key, record);
    this.values.set(key, numberOf(record));
    if (before === undefined || compareStamps(keptOf(record), keptOf(before)) > 0) return;
    this.stepsBack.push({ daemon: daemon.id, from: before, to: record });
  }
}

const NOTHING = encodeCursor({ floor: 0, strands: [] });
