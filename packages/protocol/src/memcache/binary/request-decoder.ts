/** Binary requests from bytes: a header of 24 bytes says how much follows. */

import type { ByteSource } from '../../bytes/source.ts';
import { badFrame } from '../bad.ts';
import type { BadReason } from '../errors.ts';
import { latin1Key } from '../keys.ts';
import type { Limits } from '../limits.ts';
import { readUint32, readUint64 } from '../numbers.ts';
import type { Request, Uint64 } from '../requests.ts';
import { Extras, extrasFit, extrasShape, HEADER_BYTES, isRead, needsKey, REQUEST_MAGIC } from './opcodes.ts';

const At = { header: 0, body: 1, swallow: 2, dead: 3 } as const;

export class BinaryRequestDecoder {
  /** The source holds everything that is kept. */
  readonly bufferedBytes: number = 0;
  readonly #source: ByteSource;
  readonly #limits: Limits;
  #state: number = At.header;
  #reason: BadReason = 'bad_frame';
  #opcode = 0;
  #keyLength = 0;
  #extrasLength = 0;
  #vbucket = 0;
  #bodyLength = 0;
  #opaque = 0;
  #cas: Uint64 = 0;

  constructor(source: ByteSource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
  }

  keep(): void {
    // The source holds everything.
  }

  dropBody(reason: BadReason): boolean {
    if (this.#state !== At.body) return false;
    this.#reason = reason;
    this.#source.skip(this.#bodyLength - this.#source.letGo());
    this.#state = At.swallow;
    return true;
  }

  next(): Request | undefined {
    const source = this.#source;
    if (this.#state === At.header) {
      // A wrong magic is known by its first byte: don't wait for the rest.
      if (source.more() && source.peek(0) !== REQUEST_MAGIC) return this.#die('bad_magic', 0, 0);
      if (!source.run(HEADER_BYTES)) return undefined;
      this.#readHeader(source.found, source.start);
      const reason = this.#check();
      if (reason === 'bad_frame') return this.#die(reason, this.#opcode, this.#opaque);
      if (reason === undefined) {
        this.#state = At.body;
      } else {
        this.#reason = reason;
        source.skip(this.#bodyLength);
        this.#state = At.swallow;
      }
    }
    if (this.#state === At.body) {
      if (!source.run(this.#bodyLength)) return undefined;
      this.#state = At.header;
      return this.#request(source.found, source.start, source.stop);
    }
    if (this.#state === At.swallow) {
      if (!source.skipped()) return undefined;
      this.#state = At.header;
      return badFrame(this.#reason, false, this.#opcode, this.#opaque);
    }
    source.drop();
    return undefined;
  }

  #die(reason: BadReason, opcode: number, opaque: number): Request {
    this.#state = At.dead;
    this.#source.drop();
    return badFrame(reason, true, opcode, opaque);
  }

  #readHeader(buffer: Buffer, at: number): void {
    this.#opcode = buffer[at + 1]!;
    this.#keyLength = (buffer[at + 2]! << 8) | buffer[at + 3]!;
    this.#extrasLength = buffer[at + 4]!;
    this.#vbucket = (buffer[at + 6]! << 8) | buffer[at + 7]!;
    this.#bodyLength = readUint32(buffer, at + 8);
    this.#opaque = readUint32(buffer, at + 12);
    this.#cas = readUint64(buffer, at + 16);
  }

  /** `bad_frame`: the lengths contradict each other, so where the next frame begins is not known. */
  #check(): BadReason | undefined {
    const limits = this.#limits;
    const valueLength = this.#bodyLength - this.#keyLength - this.#extrasLength;
    if (valueLength < 0) return 'bad_frame';
    const shape = extrasShape(this.#opcode);
    if (this.#extrasLength > limits.extras || !extrasFit(shape, this.#extrasLength)) return 'bad_extras';
    if (this.#keyLength > (isRead(this.#opcode) ? limits.readKey : limits.key)) return 'key_too_long';
    if (this.#keyLength === 0 && needsKey(this.#opcode)) return 'bad_key';
    if (valueLength > limits.body) return 'body_too_large';
    return undefined;
  }

  #request(buffer: Buffer, from: number, end: number): Request {
    const keyAt = from + this.#extrasLength;
    const start = keyAt + this.#keyLength;
    let flags: number | undefined;
    let exptime: number | undefined;
    let delta: Uint64 | undefined;
    let initial: Uint64 | undefined;
    let verbosity: number | undefined;
    switch (extrasShape(this.#opcode)) {
      case Extras.store:
        flags = readUint32(buffer, from);
        exptime = readUint32(buffer, from + 4);
        break;
      case Extras.arithmetic:
        delta = readUint64(buffer, from);
        initial = readUint64(buffer, from + 8);
        exptime = readUint32(buffer, from + 16);
        break;
      case Extras.exptime:
        exptime = readUint32(buffer, from);
        break;
      case Extras.optional:
        if (this.#extrasLength === 4) exptime = readUint32(buffer, from);
        break;
      case Extras.verbosity:
        verbosity = readUint32(buffer, from);
        break;
    }
    return {
      wire: 'binary',
      kind: 'binary',
      opcode: this.#opcode,
      opaque: this.#opaque,
      cas: this.#cas,
      vbucket: this.#vbucket,
      key: this.#keyLength === 0 ? '' : latin1Key(buffer, keyAt, start),
      flags,
      exptime,
      delta,
      initial,
      verbosity,
      buffer,
      start,
      end,
    };
  }
}
