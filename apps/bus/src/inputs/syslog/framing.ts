/** Syslog messages out of a TCP stream (RFC 6587): octet counting and lines, told apart for each message. Pure. */
import { LINE_BYTES, LineSplitter } from '../lines.ts';

export interface Frame {
  readonly bytes: Buffer;
  readonly cut: boolean;
}

const SPACE = 0x20;
const ZERO = 0x30;
/** Digits of the largest count: 65536. */
const COUNT_DIGITS = 5;

export class SyslogFraming {
  readonly #most: number;
  #lines: LineSplitter;
  /** Begun and not ended. */
  #rest: Buffer = Buffer.alloc(0);
  /** A line without an end: what comes belongs to it. */
  #inLine = false;

  constructor(lineBytes: number = LINE_BYTES) {
    this.#most = lineBytes;
    this.#lines = new LineSplitter(lineBytes);
  }

  /** The messages that end in this chunk; `broken` if the stream is out of step, and nothing behind them can be told. */
  push(chunk: Buffer): { readonly frames: Frame[]; readonly broken: boolean } {
    const frames: Frame[] = [];
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    while (bytes.length > 0) {
      if (this.#inLine || !isCount(bytes[0]!)) {
        const end = bytes.indexOf(0x0a);
        this.#inLine = end < 0;
        const part = end < 0 ? bytes : bytes.subarray(0, end + 1);
        for (const { bytes: line, cut } of this.#lines.push(part)) {
          if (line.length > 0) frames.push({ bytes: line, cut });
        }
        bytes = bytes.subarray(part.length);
        continue;
      }
      const space = bytes.subarray(0, COUNT_DIGITS + 1).indexOf(SPACE);
      if (space < 0 && bytes.length <= COUNT_DIGITS && bytes.every(isDigit)) break;
      const count = Number(bytes.toString('latin1', 0, Math.max(0, space)));
      if (space < 1 || !Number.isInteger(count) || count < 1 || count > this.#most) {
        return { frames, broken: true };
      }
      if (bytes.length < space + 1 + count) break;
      frames.push({ bytes: bytes.subarray(space + 1, space + 1 + count), cut: false });
      bytes = bytes.subarray(space + 1 + count);
    }
    // A copy: the chunk may be a part of something large.
    this.#rest = Buffer.from(bytes);
    return { frames, broken: false };
  }

  /** The last line, if the stream ended without an end of it. */
  end(): Frame | undefined {
    const last = this.#lines.end();
    return last === undefined || last.bytes.length === 0 ? undefined : last;
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** A count doesn't begin with 0, and a message in a line begins with `<`. */
function isCount(byte: number): boolean {
  return byte > ZERO && byte <= ZERO + 9;
}
