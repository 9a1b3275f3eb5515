/** One connection's requests, whichever wire the client speaks: its first byte tells. */

import { ByteSource } from '../bytes/source.ts';
import { REQUEST_MAGIC } from './binary/opcodes.ts';
import { BinaryRequestDecoder } from './binary/request-decoder.ts';
import type { BadReason } from './errors.ts';
import { type Limits, withDefaults } from './limits.ts';
import type { Request } from './requests.ts';
import { TextRequestDecoder } from './text/request-decoder.ts';

interface WireDecoder {
  readonly bufferedBytes: number;
  next(): Request | undefined;
  dropBody(reason: BadReason): boolean;
  /** Copies what it holds of a chunk that was lent. */
  keep(lent: Buffer): void;
}

/**
 * Pull style: `push` what the socket gave, then `next` until it gives `undefined`. It never throws on input.
 *
 * Bodies point into the pushed chunks: don't write to a chunk after pushing it.
 */
export class RequestDecoder {
  readonly #source: ByteSource = new ByteSource();
  /** Its own: the decoders of the wires read it as it is at the time. */
  readonly #limits: { -readonly [name in keyof Limits]: Limits[name] };
  #decoder: WireDecoder | undefined;
  #wire: 'unknown' | 'text' | 'binary' = 'unknown';

  constructor(limits?: Partial<Limits>) {
    this.#limits = { ...withDefaults(limits) };
  }

  /** Text stands for meta too: they share a connection. Decided by the first byte, for good, as in memcached. */
  get wire(): 'unknown' | 'text' | 'binary' {
    return this.#wire;
  }

  /** Bytes held: at most `limits.getLine + limits.body`, and what was pushed and not yet asked for. */
  get bufferedBytes(): number {
    return this.#source.bufferedBytes + (this.#decoder?.bufferedBytes ?? 0);
  }

  /** From the next request on. */
  changeLimits(limits: Partial<Limits>): void {
    Object.assign(this.#limits, limits);
  }

  push(chunk: Uint8Array): void {
    this.#source.push(chunk);
  }

  /**
   * As `push`, of the bytes `[start, end)` of a buffer that the caller goes on using. Requests point into it; before
   * they are written over the caller calls `keep`.
   */
  lend(buffer: Buffer, start: number, end: number): void {
    this.#source.lend(buffer, start, end);
  }

  /** Copies what of the lent buffer is still to be decoded. */
  keep(lent: Buffer): void {
    this.#source.keep(lent);
    this.#decoder?.keep(lent);
  }

  /**
   * Forgets the body that has come in part; the rest is passed over without being kept, and the request refused then.
   * False: there is none, and nothing has changed.
   */
  dropBody(reason: BadReason): boolean {
    return this.#decoder?.dropBody(reason) ?? false;
  }

  next(): Request | undefined {
    const decoder = this.#decoder ?? this.#decide();
    return decoder?.next();
  }

  #decide(): WireDecoder | undefined {
    if (!this.#source.more()) return undefined;
    const binary = this.#source.peek(0) === REQUEST_MAGIC;
    this.#wire = binary ? 'binary' : 'text';
    this.#decoder = binary
      ? new BinaryRequestDecoder(this.#source, this.#limits)
      : new TextRequestDecoder(this.#source, this.#limits);
    return this.#decoder;
  }
}

/** A decoder of requests for one connection; limits that aren't given are `DEFAULT_LIMITS`. */
export function createRequestDecoder(limits?: Partial<Limits>): RequestDecoder {
  return new RequestDecoder(limits);
}
