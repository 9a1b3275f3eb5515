/** What came of messages that are not whole yet, over all connections: a bound that no connection's own limit gives. Pure. */

/** A connection that is being sent a message. */
export interface Receiving {
  /** It waits because of this daemon, not of its client: what it is sent can't become whole now. */
  readonly isHeldUp: boolean;
  /** The message is given up, and the connection with it. */
  cutOff(): void;
}

/** Less is of no account: a connection costs more by itself. */
const SMALL_BYTES = 4096;

interface Half {
  readonly from: number;
  readonly bytes: number;
}

export class HalfMessages {
  readonly #limitBytes: number;
  /** By when they began. */
  readonly #halves = new Map<Receiving, Half>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A connection was read up to the byte `to`, and its last whole message up to `from`; the same when it is closed.
   * Beyond the limit whoever has been at one message for longest is cut off: an honest sender is done soon, and a large
   * message is no fault.
   */
  // hot: once per read of a connection.
  note(connection: Receiving, from: number, to: number): void {
    const before = this.#halves.get(connection);
    const bytes = to - from;
    if (before !== undefined) {
      this.#bytes -= before.bytes;
      if (before.from !== from || bytes <= SMALL_BYTES) this.#halves.delete(connection);
    }
    if (bytes <= SMALL_BYTES) return;
    this.#halves.set(connection, { from, bytes });
    this.#bytes += bytes;
    if (this.#bytes > this.#limitBytes) this.#cutOff();
  }

  #cutOff(): void {
    for (const [connection, { bytes }] of [...this.#halves]) {
      if (this.#bytes <= this.#limitBytes) return;
      if (connection.isHeldUp) continue;
      this.#halves.delete(connection);
      this.#bytes -= bytes;
      connection.cutOff();
    }
  }
}
