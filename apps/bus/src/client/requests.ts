/** What a session has asked for and what has become of it. Pure: what must be said again after a break is decided here. */
import { encodeClientControl, type Filter, type From, frameOfOwn } from '@rookery/protocol/websocket';
import type { BusError } from './errors.ts';
import { Fifo } from './fifo.ts';

/** A record from `encodeOwnRecord`, or a change of membership. */
export type Asked =
  | Uint8Array
  | { readonly kind: 'join' | 'leave' | 'unsubscribe'; readonly group: string }
  | {
      readonly kind: 'subscribe';
      readonly group: string;
      readonly from: From;
      readonly filter: Filter;
      readonly lastValue: boolean;
    };

export type Settle = (error?: BusError) => void;

export interface Request {
  readonly asked: Asked;
  /** Called once; none for who doesn't ask. */
  settle: Settle | undefined;
}

/** What a join or a leave counts for in the window. */
const CONTROL_BYTES = 64;

export class Requests {
  /** In the order of their numbers, the first is `#first`. */
  readonly #list = new Fifo<Request>();
  #first = 1;
  /** The number of the last one that was written to this connection. */
  #written = 0;
  /** The most that was ever written: what the daemon may have taken. */
  #offered = 0;
  #bytes = 0;
  #unwrittenBytes = 0;

  get unconfirmedBytes(): number {
    return this.#bytes;
  }

  get unwrittenBytes(): number {
    return this.#unwrittenBytes;
  }

  get unconfirmed(): number {
    return this.#list.length;
  }

  /** Nothing was ever written: no daemon knows of any of it. */
  get untold(): boolean {
    return this.#offered === 0;
  }

  /** Gives its number. */
  add(asked: Asked, settle: Settle | undefined): number {
    this.#list.push({ asked, settle });
    this.#bytes += bytesOf(asked);
    this.#unwrittenBytes += bytesOf(asked);
    return this.#first + this.#list.length - 1;
  }

  /**
   * Frames of what was not written to this connection yet, until `windowBytes` are on their way: a daemon that can't
   * take more for now must still find the acknowledgements behind them. A frame has at most `frameBytes`, or one message.
   */
  // hot: once per turn.
  write(frameBytes: number, windowBytes: number): (string | Uint8Array<ArrayBuffer>)[] {
    const frames: (string | Uint8Array<ArrayBuffer>)[] = [];
    let records: Uint8Array[] = [];
    let recordBytes = 0;
    let n = this.#written;
    const endFrame = (): void => {
      if (records.length > 0) frames.push(frameOfOwn(n - records.length + 1, records));
      records = [];
      recordBytes = 0;
    };
    let index = n + 1 - this.#first;
    for (; index < this.#list.length && this.#bytes - this.#unwrittenBytes < windowBytes; index++) {
      const { asked } = this.#list.at(index)!;
      this.#unwrittenBytes -= bytesOf(asked);
      if (asked instanceof Uint8Array) {
        if (recordBytes + asked.length > frameBytes) endFrame();
        records.push(asked);
        recordBytes += asked.length;
        n++;
      } else {
        endFrame();
        n++;
        frames.push(encodeClientControl({ ...asked, n }));
      }
    }
    endFrame();
    this.#written = n;
    this.#offered = Math.max(this.#offered, n);
    return frames;
  }

  /** Settles all up to `n`. False if there is none such: the daemon is confused. */
  confirm(n: number): boolean {
    if (n > this.#offered) return false;
    while (this.#first <= n) {
      const request = this.#list.shift()!;
      this.#first++;
      this.#bytes -= bytesOf(request.asked);
      request.settle?.();
    }
    return true;
  }

  /** One of those without confirmation was not carried out. */
  refuse(n: number, error: BusError): boolean {
    if (n > this.#offered) return false;
    const request = this.#list.at(n - this.#first);
    // One that is confirmed already: it was told before the break.
    if (n < this.#first || request === undefined) return true;
    request.settle?.(error);
    request.settle = undefined;
    return true;
  }

  /** A new connection goes on behind `taken`. False if the daemon can't have taken so many, or says that it took fewer than it confirmed. */
  resume(taken: number): boolean {
    if (taken < this.#first - 1 || taken > this.#offered) return false;
    this.#written = taken;
    this.#unwrittenBytes = 0;
    for (let index = taken + 1 - this.#first; index < this.#list.length; index++) {
      this.#unwrittenBytes += bytesOf(this.#list.at(index)!.asked);
    }
    return true;
  }

  /** All that is not confirmed, for who has to settle it. */
  abandon(): Request[] {
    return this.#list.clear();
  }
}

function bytesOf(asked: Asked): number {
  return asked instanceof Uint8Array ? asked.length : CONTROL_BYTES;
}
