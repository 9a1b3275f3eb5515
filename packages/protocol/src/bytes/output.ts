/**
 * Bytes to be sent, as few large buffers.
 *
 * Small writes are copied into a slab; bodies of 16 KiB and more are referenced, not copied. `take` hands
 * the buffers over: they are never written to again, so a socket may keep them as long as it needs; unless `reuse` says
 * that it needs them no more.
 *
 * One output can serve every connection of a process, if the replies to one are written and taken before
 * those to the next.
 */

/** The first slab. 1 KiB: an idle connection with an output of its own shouldn't cost more. Each next one is twice as large. */
const FIRST_SLAB_BYTES = 1024;
/** The largest slab. 64 KiB: a socket write's worth of small replies, and cheap to let go of. */
const SLAB_BYTES = 65_536;
/** From this size on a body is passed by reference: copying it would cost more than one more buffer in the write. */
export const REFERENCE_BYTES = 16_384;
/** Below this, bytes copied one by one are quicker than a call into the runtime. */
const LOOP_BYTES = 24;

export class Output {
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  /** The slab, the first byte not handed over yet, and the first free one. */
  #slab: Buffer;
  /** The first bytes of the slab as they were taken last: replies are mostly as long as the one before. */
  #head: Buffer | undefined;
  #from = 0;
  #at = 0;
  readonly #slabBytes: number;
  #nextBytes: number;

  /** `slabBytes`: the largest slab, 64 KiB if not given. */
  constructor(slabBytes: number = SLAB_BYTES) {
    this.#slabBytes = slabBytes;
    this.#nextBytes = Math.min(FIRST_SLAB_BYTES, slabBytes);
    this.#slab = Buffer.allocUnsafeSlow(0);
  }

  /** Bytes written and not taken. */
  get bytes(): number {
    return this.#chunkBytes + this.#at - this.#from;
  }

  /** Everything written since the last `take`, in order. Empty if nothing was. */
  take(): Buffer[] {
    this.#seal();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    return chunks;
  }

  /** The same as one buffer; undefined, and nothing is taken, if it isn't one. */
  takeWhole(): Buffer | undefined {
    if (this.#chunks.length > 0 || this.#at === this.#from) return undefined;
    const whole = this.#written();
    this.#from = this.#at;
    return whole;
  }

  /** All that was taken has been sent and nobody holds it any more: its room is used again. */
  reuse(): void {
    if (this.bytes > 0) return;
    this.#from = 0;
    this.#at = 0;
  }

  #seal(): void {
    if (this.#at === this.#from) return;
    this.#chunks.push(this.#written());
    this.#chunkBytes += this.#at - this.#from;
    this.#from = this.#at;
  }

  #written(): Buffer {
    if (this.#from > 0) return this.#slab.subarray(this.#from, this.#at);
    const head = this.#head;
    if (head?.length === this.#at) return head;
    this.#head = this.#slab.subarray(0, this.#at);
    return this.#head;
  }

  /** Makes room for `count` bytes in one piece, and returns where they go. */
  #room(count: number): number {
    if (this.#slab.length - this.#at < count) {
      this.#seal();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#nextBytes, count));
      this.#head = undefined;
      this.#nextBytes = Math.min(this.#nextBytes * 2, this.#slabBytes);
      this.#from = 0;
      this.#at = 0;
    }
    return this.#at;
  }

  /** One byte. */
  byte(value: number): void {
    const at = this.#room(1);
    this.#slab[at] = value;
    this.#at = at + 1;
  }

  /** Bytes prepared beforehand, such as `STORED\r\n`. */
  constant(bytes: Buffer): void {
    const length = bytes.length;
    const at = this.#room(length);
    if (length <= LOOP_BYTES) {
      const slab = this.#slab;
      for (let index = 0; index < length; index++) slab[at + index] = bytes[index]!;
    } else {
      bytes.copy(this.#slab, at);
    }
    this.#at = at + length;
  }

  /** A string with one byte per char. */
  latin1(text: string): void {
    const length = text.length;
    const at = this.#room(length);
    if (length <= LOOP_BYTES) {
      const slab = this.#slab;
      for (let index = 0; index < length; index++) slab[at + index] = text.charCodeAt(index);
    } else {
      this.#slab.write(text, at, 'latin1');
    }
    this.#at = at + length;
  }

  /** A number in decimal. */
  decimal(value: number | bigint): void {
    if (typeof value === 'bigint' || value < 0 || !Number.isSafeInteger(value)) {
      this.latin1(String(value));
    } else if (value <= 0xffff_ffff) {
      let digits = 1;
      for (let bound = 10; value >= bound; bound *= 10) digits++;
      this.#digits(value, digits);
    } else {
      // A cas unique: its nine low digits, and what is before them, fit 32-bit arithmetic each.
      const high = Math.floor(value / 1e9);
      this.decimal(high);
      this.#digits(value - high * 1e9, 9);
    }
  }

  /** `digits` digits of a number below 2^32. */
  #digits(value: number, digits: number): void {
    const at = this.#room(digits);
    const slab = this.#slab;
    let rest = value >>> 0;
    for (let index = at + digits - 1; index >= at; index--) {
      const next = Math.floor(rest / 10) >>> 0;
      slab[index] = 48 + (rest - next * 10);
      rest = next;
    }
    this.#at = at + digits;
  }

  /** The bytes of a body, copied when few, referenced when many. */
  body(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length >= REFERENCE_BYTES) {
      this.#seal();
      this.#chunks.push(buffer.subarray(start, end));
      this.#chunkBytes += length;
      return;
    }
    const at = this.#room(length);
    if (length <= LOOP_BYTES) {
      const slab = this.#slab;
      for (let index = 0; index < length; index++) slab[at + index] = buffer[start + index]!;
    } else {
      buffer.copy(this.#slab, at, start, end);
    }
    this.#at = at + length;
  }

  /** The 24 bytes before a binary request (`status` is its vbucket) or reply. `body` counts extras, key and value. */
  header(
    magic: number,
    opcode: number,
    key: number,
    extras: number,
    status: number,
    body: number,
    opaque: number,
    cas: number | bigint,
  ): void {
    const at = this.#room(24);
    const slab = this.#slab;
    slab[at] = magic;
    slab[at + 1] = opcode;
    slab[at + 2] = key >>> 8;
    slab[at + 3] = key;
    slab[at + 4] = extras;
    slab[at + 5] = 0;
    slab[at + 6] = status >>> 8;
    slab[at + 7] = status;
    this.#at = at + 8;
    this.uint32(body);
    this.uint32(opaque);
    this.uint64(cas);
  }

  /** Big-endian numbers, for the binary wire. */
  uint32(value: number): void {
    const at = this.#room(4);
    const slab = this.#slab;
    slab[at] = value >>> 24;
    slab[at + 1] = value >>> 16;
    slab[at + 2] = value >>> 8;
    slab[at + 3] = value;
    this.#at = at + 4;
  }

  /** Little-endian, for the wires that a peer's byte order decides. */
  uint32le(value: number): void {
    const at = this.#room(4);
    const slab = this.#slab;
    slab[at] = value;
    slab[at + 1] = value >>> 8;
    slab[at + 2] = value >>> 16;
    slab[at + 3] = value >>> 24;
    this.#at = at + 4;
  }

  /** A string with one byte per char in a field of `width` bytes, filled up with zeros. It must fit. */
  padded(text: string, width: number): void {
    const at = this.#room(width);
    const slab = this.#slab;
    const length = text.length;
    for (let index = 0; index < width; index++)
      slab[at + index] = index < length ? text.charCodeAt(index) : 0;
    this.#at = at + width;
  }

  uint64(value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.uint32(Number((value >> 32n) & 0xffff_ffffn));
      this.uint32(Number(value & 0xffff_ffffn));
    } else {
      this.uint32(Math.floor(value / 0x1_0000_0000));
      this.uint32(value % 0x1_0000_0000);
    }
  }
}
