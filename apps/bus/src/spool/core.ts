/**
 * What of a spool is sent next, and what may be forgotten. Pure. The lives of the spool are one list, oldest first; what
 * is on its way is a window of it; a session that is lost takes the window back to the first message that nobody has
 * confirmed.
 */
import { Fifo } from '../client/fifo.ts';

export interface WindowLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** What is to be read from the spool. */
export interface Wanted {
  readonly life: number;
  readonly afterSequence: number;
  /** What is behind it isn't written yet. */
  readonly throughSequence: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** What may be forgotten: all up to this sequence of this life. */
export interface Settled {
  readonly life: number;
  readonly through: number;
}

interface Life {
  /** The last message that is written. */
  committed: number;
  /** The last one that is on its way, or was. */
  sent: number;
}

interface Flight {
  readonly life: number;
  readonly sequence: number;
  readonly bytes: number;
  settled: boolean;
}

export class SendingOrder {
  readonly #limits: WindowLimits;
  readonly #lives: Life[] = [];
  #flight = new Fifo<Flight>();
  #bytes = 0;
  #life = 0;
  #generation = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Counts the times that the window was taken back: what was begun before has no effect. */
  get generation(): number {
    return this.#generation;
  }

  /** A further life, younger than all before. `forgotten`: all up to this sequence is confirmed; `committed`: the last one. */
  add(forgotten: number, committed: number): void {
    this.#lives.push({ sent: forgotten, committed });
  }

  committed(life: number, sequence: number): void {
    const found = this.#lives[life]!;
    found.committed = Math.max(found.committed, sequence);
  }

  /** All that is written is confirmed. */
  get idle(): boolean {
    return this.#flight.length === 0 && this.#lives.every(({ sent, committed }) => sent === committed);
  }

  /** What to read and send; undefined while there is nothing, or no room in the window. */
  next(): Wanted | undefined {
    while (this.#life < this.#lives.length) {
      const { sent, committed } = this.#lives[this.#life]!;
      if (sent < committed) {
        const maxEntries = Math.min(this.#limits.messages - this.#flight.length, committed - sent);
        const maxBytes = this.#limits.bytes - this.#bytes;
        if (maxEntries <= 0 || maxBytes <= 0) return undefined;
        return { life: this.#life, afterSequence: sent, throughSequence: committed, maxEntries, maxBytes };
      }
      // The last life goes on growing.
      if (this.#life === this.#lives.length - 1) return undefined;
      this.#life++;
    }
    return undefined;
  }

  /** A message goes out. Between it and the one before may be holes, which were damaged. */
  // hot: once per message.
  sending(life: number, sequence: number, bytes: number): void {
    this.#lives[life]!.sent = sequence;
    this.#flight.push({ life, sequence, bytes, settled: false });
    this.#bytes += bytes;
  }

  /** There is nothing to read up to here: it was damaged. */
  skip(life: number, sequence: number): void {
    this.#lives[life]!.sent = sequence;
  }

  /**
   * A message was ordered, or refused for good. Gives what may be forgotten: never what stands behind a message without
   * confirmation, for after a restart all that is left is sent again, in order.
   */
  // hot: once per message.
  settle(generation: number, life: number, sequence: number): readonly Settled[] {
    if (generation !== this.#generation) return [];
    for (let index = 0; index < this.#flight.length; index++) {
      const one = this.#flight.at(index)!;
      if (one.life === life && one.sequence === sequence) {
        one.settled = true;
        break;
      }
    }
    const settled: { life: number; through: number }[] = [];
    for (let first = this.#flight.at(0); first?.settled; first = this.#flight.at(0)) {
      this.#flight.shift();
      this.#bytes -= first.bytes;
      const last = settled.at(-1);
      if (last?.life === first.life) last.through = first.sequence;
      else settled.push({ life: first.life, through: first.sequence });
    }
    return settled;
  }

  /** The session is lost: all that is on its way goes out again, and nothing of this generation counts any more. */
  lose(generation: number): void {
    if (generation !== this.#generation) return;
    this.#generation++;
    for (const { life, sequence } of this.#flight.clear().reverse()) {
      this.#lives[life]!.sent = sequence - 1;
      this.#life = life;
    }
    this.#bytes = 0;
  }
}
