/** What one daemon sends to a client: the handshake's answers, then frames. */
import { ByteSource } from '../../bytes/source.ts';
import type { DaemonInput, Version } from '../frames.ts';
import { type Limits, withDefaults } from '../limits.ts';
import { readsSets } from '../versions.ts';
import { ReplyFrameDecoder } from './frame-decoder.ts';
import { VERSION } from './handshake.ts';
import { ReplyHandshakeDecoder } from './handshake-decoder.ts';

/**
 * Pull style: `push` what the socket gave, then `next` until it gives `undefined`. It never throws on input.
 * Data points into the pushed chunks: don't write to a chunk after pushing it.
 */
export class ClientDecoder {
  readonly #source: ByteSource = new ByteSource();
  readonly #handshake: ReplyHandshakeDecoder;
  readonly #frames: ReplyFrameDecoder;
  #dead = false;

  constructor(limits?: Partial<Limits>, version: Version = VERSION) {
    this.#handshake = new ReplyHandshakeDecoder(this.#source, version);
    this.#frames = new ReplyFrameDecoder(this.#source, withDefaults(limits), readsSets(version));
  }

  /** Bytes held: at most one frame, and what was pushed and not yet asked for. */
  get bufferedBytes(): number {
    return this.#source.bufferedBytes;
  }

  push(chunk: Uint8Array): void {
    this.#source.push(chunk);
  }

  next(): DaemonInput | undefined {
    if (this.#dead) {
      this.#source.drop();
      return undefined;
    }
    const input = this.#handshake.done ? this.#frames.next() : this.#handshake.next();
    if (typeof input === 'string') return this.#end({ kind: 'bad', reason: input });
    return input?.kind === 'refused' ? this.#end(input) : input;
  }

  #end(last: DaemonInput): DaemonInput {
    this.#dead = true;
    this.#source.drop();
    return last;
  }
}

/**
 * A decoder of what a daemon sends. `version` is the one that `writeConnect` gave: it decides what the daemon
 * says in the handshake, and in memberships. Limits that aren't given are `DEFAULT_LIMITS`.
 */
export function createClientDecoder(limits?: Partial<Limits>, version?: Version): ClientDecoder {
  return new ClientDecoder(limits, version);
}
