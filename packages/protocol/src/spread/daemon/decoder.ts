/** One session's input on the daemon's side: the handshake, then frames. */
import { ByteSource } from '../../bytes/source.ts';
import type { BadReason } from '../errors.ts';
import type { ClientInput } from '../frames.ts';
import { type Limits, withDefaults } from '../limits.ts';
import { ending } from './bad.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { HandshakeDecoder } from './handshake-decoder.ts';

/**
 * Pull style: `push` what the socket gave, then `next` until it gives `undefined`. It never throws on input.
 *
 * Behind the handshake it waits for `admit`: frames are checked against the private group given there.
 * Data points into the pushed chunks: don't write to a chunk after pushing it.
 */
export class DaemonDecoder {
  readonly #source: ByteSource = new ByteSource();
  readonly #limits: Limits;
  readonly #handshake: HandshakeDecoder = new HandshakeDecoder(this.#source);
  #frames: FrameDecoder | undefined;
  #dead = false;

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

  /** Lets frames through, of this sender only: the private group that `writeAccept` tells the client. */
  admit(privateGroup: string): void {
    this.#frames ??= new FrameDecoder(this.#source, this.#limits, privateGroup);
  }

  next(): ClientInput | undefined {
    if (this.#dead) {
      this.#source.drop();
      return undefined;
    }
    if (this.#handshake.done) {
      if (this.#frames !== undefined) return this.#frames.next();
      return this.#source.bufferedBytes > this.#limits.early ? this.#die('too_early') : undefined;
    }
    const input = this.#handshake.next();
    return typeof input === 'string' ? this.#die(input) : input;
  }

  #die(reason: BadReason): ClientInput {
    this.#dead = true;
    this.#source.drop();
    return ending(reason);
  }
}

/** A decoder of what one client sends; limits that aren't given are `DEFAULT_LIMITS`. */
export function createDaemonDecoder(limits?: Partial<Limits>): DaemonDecoder {
  return new DaemonDecoder(limits);
}
