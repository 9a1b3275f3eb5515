/** Binary replies from bytes, for a client. */

import { ByteSource } from '../../bytes/source.ts';
import { type BadReason, Status } from '../errors.ts';
import { latin1Key } from '../keys.ts';
import { type Limits, withDefaults } from '../limits.ts';
import { readUint32, readUint64 } from '../numbers.ts';
import type { Reply } from '../replies.ts';
import type { Uint64 } from '../requests.ts';
import { Extras, extrasShape, HEADER_BYTES, RESPONSE_MAGIC } from './opcodes.ts';

const At = { header: 0, body: 1, dead: 2 } as const;

/** Pull style, as `RequestDecoder`: `push`, then `next` until `undefined`. It never throws on input. */
export class BinaryReplyDecoder {
  readonly #source: ByteSource = new ByteSource();
  readonly #limits: Limits;
  #state: number = At.header;
  #opcode = 0;
  #status = 0;
  #keyLength = 0;
  #extrasLength = 0;
  #bodyLength = 0;
  #opaque = 0;
  #cas: Uint64 = 0;

  /** Of the limits `body` bounds a value. */
  constructor(limits?: Partial<Limits>) {
    this.#limits = withDefaults(limits);
  }

  /** Bytes held: at most one frame, and what was pushed and not yet asked for. */
  get bufferedBytes(): number {
    return this.#source.bufferedBytes;
  }

  push(chunk: Uint8Array): void {
    this.#source.push(chunk);
  }

  next(): Reply | undefined {
    const source = this.#source;
    if (this.#state === At.header) {
      if (source.more() && source.peek(0) !== RESPONSE_MAGIC) return this.#die('bad_magic');
      if (!source.run(HEADER_BYTES)) return undefined;
      const { found, start } = source;
      this.#opcode = found[start + 1]!;
      this.#keyLength = (found[start + 2]! << 8) | found[start + 3]!;
      this.#extrasLength = found[start + 4]!;
      this.#status = (found[start + 6]! << 8) | found[start + 7]!;
      this.#bodyLength = readUint32(found, start + 8);
      this.#opaque = readUint32(found, start + 12);
      this.#cas = readUint64(found, start + 16);
      const value = this.#bodyLength - this.#keyLength - this.#extrasLength;
      if (value < 0) return this.#die('bad_frame');
      if (value > this.#limits.body) return this.#die('body_too_large');
      this.#state = At.body;
    }
    if (this.#state === At.body) {
      if (!source.run(this.#bodyLength)) return undefined;
      this.#state = At.header;
      return this.#reply(source.found, source.start, source.stop);
    }
    source.drop();
    return undefined;
  }

  #die(reason: BadReason): Reply {
    this.#state = At.dead;
    this.#source.drop();
    return { wire: 'binary', kind: 'bad', reason, fatal: true };
  }

  #reply(buffer: Buffer, from: number, end: number): Reply {
    const keyAt = from + this.#extrasLength;
    const start = keyAt + this.#keyLength;
    const counts =
      this.#status === Status.success && end - start === 8 && extrasShape(this.#opcode) === Extras.arithmetic;
    return {
      wire: 'binary',
      kind: 'binary',
      opcode: this.#opcode,
      status: this.#status,
      opaque: this.#opaque,
      cas: this.#cas,
      key: this.#keyLength === 0 ? '' : latin1Key(buffer, keyAt, start),
      flags: this.#extrasLength === 4 ? readUint32(buffer, from) : undefined,
      number: counts ? readUint64(buffer, start) : undefined,
      buffer,
      start,
      end,
    };
  }
}

/** A decoder of binary replies for one connection. */
export function createBinaryReplyDecoder(limits?: Partial<Limits>): BinaryReplyDecoder {
  return new BinaryReplyDecoder(limits);
}
