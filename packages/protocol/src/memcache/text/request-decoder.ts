/** Text and meta requests from bytes: finds lines and bodies. What a line means is in `lines.ts`. */

import type { ByteSource } from '../../bytes/source.ts';
import { EMPTY } from '../../bytes/source.ts';
import { badLine } from '../bad.ts';
import type { BadReason } from '../errors.ts';
import { latin1Key } from '../keys.ts';
import type { Limits } from '../limits.ts';
import { parseUnsigned } from '../numbers.ts';
import type { GetVerb, Request } from '../requests.ts';
import { type Awaiting, type Expect, isGetStart, parseLine, storeRequest } from './lines.ts';

/** Where the next byte belongs. A `const` object and not an enum: the sources must run with types stripped. */
const At = { line: 0, body: 1, bodyEnd: 2, bodyFeed: 3, swallow: 4, restOfLine: 5, dead: 6 } as const;

const CR = 13;
const LF = 10;
const SPACE = 32;

export class TextRequestDecoder {
  readonly #source: ByteSource;
  readonly #limits: Limits;
  /** `max` for `source.line`: the limit depends on the verb. Made once. */
  readonly #lineMax: (source: ByteSource) => number;
  #state: number = At.line;
  #expect: Expect | undefined;
  #body: Buffer = EMPTY;
  #bodyStart = 0;
  #bodyEnd = 0;

  constructor(source: ByteSource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
    this.#lineMax = (from) =>
      isGetStart(from.peek(0), from.peek(1), from.peek(2), from.peek(3)) ? limits.getLine : limits.line;
  }

  /** The body that waits for its line end. */
  get bufferedBytes(): number {
    return this.#bodyEnd - this.#bodyStart;
  }

  next(): Request | undefined {
    const source = this.#source;
    if (this.#state === At.line) {
      // hot: 9 of 10 requests are a get or set that lies whole in the chunk.
      if (source.at < source.end && !source.holding) {
        const request = this.#fast();
        if (request !== undefined) return request;
      }
      return this.#line();
    }
    return this.#rest();
  }

  /** A body whose line end has not come yet. */
  keep(lent: Buffer): void {
    if (this.#body !== lent) return;
    this.#body = Buffer.from(lent.subarray(this.#bodyStart, this.#bodyEnd));
    this.#bodyEnd -= this.#bodyStart;
    this.#bodyStart = 0;
  }

  dropBody(reason: BadReason): boolean {
    const expect = this.#expect;
    if (expect === undefined || this.#state === At.dead) return false;
    if (this.#state === At.body) {
      this.#source.skip(expect.length - this.#source.letGo());
      this.#state = At.swallow;
    }
    this.#letGo();
    this.#expect = { ...expect, request: undefined, reason };
    return true;
  }

  #line(): Request | undefined {
    const source = this.#source;
    const limits = this.#limits;
    const outcome = source.line(Math.min(limits.line, limits.getLine), this.#lineMax);
    if (outcome === 0) return undefined;
    if (outcome < 0) return this.#die();
    const parsed = parseLine(source.found, source.start, source.stop, limits);
    if (parsed.kind !== 'expect') {
      if (parsed.kind === 'bad' && parsed.fatal) this.#die();
      return parsed;
    }
    this.#expect = parsed;
    if (parsed.request === undefined) {
      source.skip(parsed.length);
      this.#state = At.swallow;
    } else {
      this.#state = At.body;
    }
    return this.#rest();
  }

  #die(): Request {
    this.#state = At.dead;
    this.#source.drop();
    return badLine('text', 'line_too_long', true, false);
  }

  /** Goes on behind a line that announced a body: the body, its \r\n, and if that is missing the rest of the line. */
  #rest(): Request | undefined {
    const source = this.#source;
    const expect = this.#expect;
    if (this.#state === At.dead || expect === undefined) {
      source.drop();
      return undefined;
    }
    if (this.#state === At.body) {
      if (!source.run(expect.length)) return undefined;
      this.#body = source.found;
      this.#bodyStart = source.start;
      this.#bodyEnd = source.stop;
      this.#state = At.bodyEnd;
    }
    if (this.#state === At.swallow) {
      if (!source.skipped()) return undefined;
      this.#state = At.bodyEnd;
    }
    if (this.#state === At.bodyEnd) {
      if (!source.more()) return undefined;
      if (source.chunk[source.at] === CR) {
        source.at++;
        this.#state = At.bodyFeed;
      } else {
        this.#state = At.restOfLine;
      }
    }
    if (this.#state === At.bodyFeed) {
      if (!source.more()) return undefined;
      if (source.chunk[source.at] === LF) {
        source.at++;
        return this.#complete(expect, expect.request);
      }
      this.#state = At.restOfLine;
    }
    // The body was longer or shorter than announced. As memcached: go on behind the next line end.
    if (!source.skippedLine()) {
      this.#letGo();
      return undefined;
    }
    return this.#complete(expect, undefined);
  }

  #complete(expect: Expect, request: Awaiting | undefined): Request {
    this.#state = At.line;
    this.#expect = undefined;
    if (request === undefined) {
      this.#letGo();
      return badLine(expect.wire, expect.reason, false, expect.noreply);
    }
    request.buffer = this.#body;
    request.start = this.#bodyStart;
    request.end = this.#bodyEnd;
    this.#letGo();
    return request;
  }

  #letGo(): void {
    this.#body = EMPTY;
    this.#bodyStart = 0;
    this.#bodyEnd = 0;
  }

  /**
   * `get key\r\n`, `gets key\r\n` and `set key flags exptime bytes[ noreply]\r\n` with its body, whole in the chunk
   * and without extra spaces. Anything else: `undefined`, nothing consumed, and the general way decides.
   */
  #fast(): Request | undefined {
    const source = this.#source;
    const { chunk, at, end } = source;
    if (end - at < 7) return undefined;
    if ((chunk[at + 1]! | 32) !== 0x65 || (chunk[at + 2]! | 32) !== 0x74) return undefined;
    const first = chunk[at]! | 32;
    const fourth = chunk[at + 3]!;
    if (first === 0x67) {
      if (fourth === SPACE) return this.#fastGet('get', at, at + 4);
      if ((fourth | 32) === 0x73 && chunk[at + 4] === SPACE) return this.#fastGet('gets', at, at + 5);
    } else if (first === 0x73 && fourth === SPACE) {
      return this.#fastSet(at);
    }
    return undefined;
  }

  #fastGet(verb: GetVerb, from: number, start: number): Request | undefined {
    const source = this.#source;
    const { chunk, end } = source;
    let at = start;
    while (at < end && chunk[at]! > SPACE) at++;
    if (at + 1 >= end || chunk[at] !== CR || chunk[at + 1] !== LF) return undefined;
    const limits = this.#limits;
    if (at === start || at - start > limits.readKey || at + 1 - from > limits.getLine) return undefined;
    source.at = at + 2;
    return { wire: 'text', kind: 'get', verb, keys: [latin1Key(chunk, start, at)], exptime: undefined };
  }

  #fastSet(from: number): Request | undefined {
    const source = this.#source;
    const { chunk, end } = source;
    const limits = this.#limits;
    const start = from + 4;
    let at = start;
    while (at < end && chunk[at]! > SPACE) at++;
    const stop = at;
    const flagsAt = ++at;
    while (at < end && chunk[at]! > SPACE) at++;
    const exptimeAt = ++at;
    while (at < end && chunk[at]! > SPACE) at++;
    const lengthAt = ++at;
    while (at < end && chunk[at]! > SPACE) at++;
    const lengthEnd = at;
    if (at + 1 >= end) return undefined;
    let noreply = false;
    if (chunk[at] === SPACE) {
      // " noreply", then the line end.
      if (end - at < 10 || !isNoreply(chunk, at + 1)) return undefined;
      noreply = true;
      at += 8;
    }
    if (chunk[at] !== CR || chunk[at + 1] !== LF || at + 1 - from > limits.line) return undefined;
    // The words may have been ended by a control character: then the general way refuses them.
    if (chunk[flagsAt - 1] !== SPACE || chunk[exptimeAt - 1] !== SPACE || chunk[lengthAt - 1] !== SPACE)
      return undefined;
    const flags = parseUnsigned(chunk, flagsAt, exptimeAt - 1);
    const exptime = parseUnsigned(chunk, exptimeAt, lengthAt - 1);
    const length = parseUnsigned(chunk, lengthAt, lengthEnd);
    if (flags < 0 || flags > 0xffff_ffff || exptime < 0 || length < 0 || length > limits.body)
      return undefined;
    const bodyStart = at + 2;
    const bodyEnd = bodyStart + length;
    if (bodyEnd + 2 > end || chunk[bodyEnd] !== CR || chunk[bodyEnd + 1] !== LF) return undefined;
    if (stop === start || stop - start > limits.key) return undefined;
    source.at = bodyEnd + 2;
    const key = latin1Key(chunk, start, stop);
    return storeRequest('set', key, flags, exptime, undefined, noreply, chunk, bodyStart, bodyEnd);
  }
}

/** The seven bytes of `noreply`. */
function isNoreply(chunk: Buffer, at: number): boolean {
  return (
    chunk[at] === 0x6e &&
    chunk[at + 1] === 0x6f &&
    chunk[at + 2] === 0x72 &&
    chunk[at + 3] === 0x65 &&
    chunk[at + 4] === 0x70 &&
    chunk[at + 5] === 0x6c &&
    chunk[at + 6] === 0x79
  );
}
