/** Lines out of bytes that come in pieces of any size, none longer than a limit. */

/**
 * Longest line of an input, and syslog message. 64 KiB: nginx takes request headers of up to 32 KiB, so its longest
 * line fits; a datagram can't hold more.
 */
export const LINE_BYTES: number = 64 * 1024;

const LINE_END = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** Without its end. May share memory with the chunk. */
  readonly bytes: Buffer;
  /** It was longer: what is missing was passed over. */
  readonly cut: boolean;
  /** Bytes of the input that it took, with its end and what was passed over. */
  readonly consumed: number;
}

export class LineSplitter {
  readonly #most: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #consumed = 0;

  constructor(lineBytes: number = LINE_BYTES) {
    this.#most = lineBytes;
  }

  /** The lines that end in this chunk. What is behind the last one is kept: copied, for the chunk may be used again. */
  // hot: once per chunk.
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      lines.push(this.#take(chunk.subarray(from, end), 1));
      from = end + 1;
    }
    if (from < chunk.length) {
      const rest = chunk.subarray(from);
      this.#consumed += rest.length;
      const room = this.#most - this.#bytes;
      if (room > 0) this.#pieces.push(Buffer.from(rest.subarray(0, room)));
      this.#bytes += rest.length;
    }
    return lines;
  }

  /** The last line, if it has no end. */
  end(): Line | undefined {
    return this.#consumed === 0 ? undefined : this.#take(Buffer.alloc(0), 0);
  }

  #take(last: Buffer, endBytes: number): Line {
    const length = this.#bytes + last.length;
    const cut = length > this.#most;
    const room = Math.max(0, this.#most - this.#bytes);
    const tail = last.length > room ? last.subarray(0, room) : last;
    let bytes = this.#pieces.length === 0 ? tail : Buffer.concat([...this.#pieces, tail]);
    if (!cut && bytes.at(-1) === CARRIAGE_RETURN) bytes = bytes.subarray(0, -1);
    const consumed = this.#consumed + last.length + endBytes;
    this.#pieces = [];
    this.#bytes = 0;
    this.#consumed = 0;
    return { bytes, cut, consumed };
  }
}
