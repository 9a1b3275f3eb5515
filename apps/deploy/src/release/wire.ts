import { ReleaseError } from '../errors.ts';

/** Numbers on the wire stay below 2^53. */
const VARINT_BYTES_MAX = 8;

/** Appends to a buffer that grows. */
export class ByteWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  varint(value: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    while (value > 127) {
      this.#bytes[this.#length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.#length++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A string of which each character is one byte. */
  latin1(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + bytes));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Reads what ByteWriter wrote. Never reads past the end, never copies: what it returns looks into the buffer. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    if (this.#at === this.#bytes.length) throw cutOff();
    return this.#bytes[this.#at++]!;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new ReleaseError('release-damaged', 'The release is damaged: it has a number that is too large.');
  }

  raw(length: number): Buffer {
    if (length > this.left) throw cutOff();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  latin1(length: number): string {
    if (length > this.left) throw cutOff();
    this.#at += length;
    return this.#bytes.toString('latin1', this.#at - length, this.#at);
  }
}

function cutOff(): ReleaseError {
  return new ReleaseError('release-damaged', 'The release is damaged: it ends in the middle.');
}
