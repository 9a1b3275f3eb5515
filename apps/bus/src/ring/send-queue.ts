/** Messages that wait for the token, and their packing into packets: small ones together, large ones in pieces. */
import {
  CHUNK_HEADER_BYTES,
  CHUNK_TOTAL_BYTES,
  DATA_HEADER_BYTES,
  putChunk,
  SAFE_CODE,
} from '@rookery/protocol/bus';

interface Waiting {
  readonly service: number;
  readonly payload: Uint8Array;
}

export interface Packed {
  /** The datagram, its header still to be filled. */
  readonly bytes: Buffer;
  readonly safe: boolean;
}

/** A message that would fit into the next packet whole is cut only if this much of it still fits here. */
const WORTH_CUTTING_BYTES = 256;

export class SendQueue {
  readonly #bodyBytes: number;
  #waiting: Waiting[] = [];
  #head = 0;
  /** Bytes of the first message that are in packets already. */
  #offset = 0;
  #bytes = 0;

  constructor(datagramBytes: number) {
    // Room for the header of a recovering packet around it: see docs/internals/ring.md.
    this.#bodyBytes = datagramBytes - 2 * DATA_HEADER_BYTES;
  }

  /** Bytes that wait, payloads and what is written before them. */
  get bytes(): number {
    return this.#bytes;
  }

  get messages(): number {
    return this.#waiting.length - this.#head;
  }

  /** Packets that what waits will fill, about. */
  get packets(): number {
    return Math.ceil(this.#bytes / this.#bodyBytes);
  }

  push(service: number, payload: Uint8Array): void {
    this.#waiting.push({ service, payload });
    this.#bytes += payload.length + CHUNK_HEADER_BYTES;
  }

  /** A new ring: what was sent in part begins anew, because its new members never saw the beginning. */
  restart(): void {
    this.#bytes += this.#offset;
    this.#offset = 0;
  }

  // hot: once per packet sent.
  /** The next packet's chunks, or undefined if nothing waits. */
  pack(): Packed | undefined {
    if (this.#head === this.#waiting.length) return undefined;
    const room = Math.min(this.#bodyBytes, this.#bytes + CHUNK_TOTAL_BYTES);
    const bytes = Buffer.allocUnsafe(DATA_HEADER_BYTES + room);
    const end = bytes.length;
    let at = DATA_HEADER_BYTES;
    let safe = false;
    while (this.#head < this.#waiting.length) {
      const { service, payload } = this.#waiting[this.#head]!;
      const left = payload.length - this.#offset;
      const whole = at + CHUNK_HEADER_BYTES + left <= end;
      const first = this.#offset === 0;
      if (!whole && at > DATA_HEADER_BYTES) {
        const here = end - at - CHUNK_HEADER_BYTES - CHUNK_TOTAL_BYTES;
        const fitsNext = first && left + CHUNK_HEADER_BYTES <= this.#bodyBytes;
        if (here < (fitsNext ? WORTH_CUTTING_BYTES : 1)) break;
      }
      const length = whole ? left : end - at - CHUNK_HEADER_BYTES - (first ? CHUNK_TOTAL_BYTES : 0);
      at = putChunk(bytes, at, first, whole, service, length, payload.length);
      bytes.set(
        length === payload.length ? payload : payload.subarray(this.#offset, this.#offset + length),
        at,
      );
      at += length;
      this.#bytes -= length;
      if (!whole) {
        this.#offset += length;
        break;
      }
      if (service === SAFE_CODE) safe = true;
      this.#bytes -= CHUNK_HEADER_BYTES;
      this.#offset = 0;
      this.#shift();
    }
    return { bytes: at === end ? bytes : bytes.subarray(0, at), safe };
  }

  #shift(): void {
    this.#waiting[this.#head] = undefined as unknown as Waiting;
    this.#head++;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
