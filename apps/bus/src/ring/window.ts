/** The packets of one ring that may still be needed, by their sequence. */
import type { DataPacket } from '@rookery/protocol/bus';

/** Room at first; it doubles as needed. */
const SLOTS_MIN = 64;

export class Window {
  #slots: (DataPacket | undefined)[] = new Array(SLOTS_MIN).fill(undefined);
  /** The visit at which each was last sent again. */
  #answeredAt = new Int32Array(SLOTS_MIN);
  #mask = SLOTS_MIN - 1;
  readonly #slotsMax: number;
  /** Everything up to here has been forgotten. */
  base = 0;
  /** Everything up to here has been received. */
  aru = 0;
  /** The highest sequence received. */
  high = 0;
  /** Everything up to here has been delivered. */
  delivered = 0;
  /** Everything up to here is held by all members. */
  safeTo = 0;

  /**
   * `sequences`: how far the newest may be ahead of what this member may forget. Flow control keeps well under it: it
   * only bounds what a member at fault can cost.
   */
  constructor(sequences: number) {
    this.#slotsMax = 2 ** Math.ceil(Math.log2(sequences));
  }

  // hot: three of these per packet.
  get(sequence: number): DataPacket | undefined {
    const packet = this.#slots[sequence & this.#mask];
    return packet !== undefined && packet.sequence === sequence ? packet : undefined;
  }

  /** False if it was there, or is beyond what the window may hold. */
  add(packet: DataPacket): boolean {
    const { sequence } = packet;
    if (sequence <= this.aru) return false;
    if (sequence > this.base + this.#mask && !this.#grow(sequence)) return false;
    const slot = sequence & this.#mask;
    if (this.#slots[slot] !== undefined) return false;
    this.#slots[slot] = packet;
    this.#answeredAt[slot] = -2;
    if (sequence > this.high) this.high = sequence;
    if (sequence === this.aru + 1) {
      let aru = sequence;
      while (this.#slots[(aru + 1) & this.#mask]?.sequence === aru + 1) aru++;
      this.aru = aru;
    }
    return true;
  }

  /** Whether this member should answer a request for it: it holds it, and didn't answer at its last visit. */
  answer(sequence: number, visit: number): DataPacket | undefined {
    const packet = this.get(sequence);
    if (packet === undefined) return undefined;
    const slot = sequence & this.#mask;
    // Asked again right after: our multicast may not get there at all. Another holder tries, then we again.
    if (this.#answeredAt[slot] === visit - 1) return undefined;
    this.#answeredAt[slot] = visit;
    return packet;
  }

  forgetTo(sequence: number): void {
    while (this.base < sequence) {
      this.base++;
      this.#slots[this.base & this.#mask] = undefined;
    }
  }

  #grow(sequence: number): boolean {
    let size = this.#slots.length;
    while (sequence >= this.base + size) size *= 2;
    if (size > this.#slotsMax) return false;
    const slots: (DataPacket | undefined)[] = new Array(size).fill(undefined);
    const answeredAt = new Int32Array(size);
    for (const packet of this.#slots) {
      if (packet === undefined) continue;
      const slot = packet.sequence & (size - 1);
      slots[slot] = packet;
      answeredAt[slot] = this.#answeredAt[packet.sequence & this.#mask]!;
    }
    this.#slots = slots;
    this.#answeredAt = answeredAt;
    this.#mask = size - 1;
    return true;
  }
}
