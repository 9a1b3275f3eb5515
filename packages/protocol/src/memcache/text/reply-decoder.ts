/** Text and meta replies from bytes, for a client. */

import { ByteSource, EMPTY } from '../../bytes/source.ts';
import type { BadReason } from '../errors.ts';
import { type Limits, withDefaults } from '../limits.ts';
import { parseInteger, parseUint64 } from '../numbers.ts';
import type { MetaValueReply, Reply, TextValue } from '../replies.ts';
import { parseReplyLine } from './reply-line.ts';
import { tokenize } from './tokens.ts';

type Value =
  | { -readonly [K in keyof TextValue]: TextValue[K] }
  | { -readonly [K in keyof MetaValueReply]: MetaValueReply[K] };

const At = { line: 0, body: 1, bodyEnd: 2, dead: 3 } as const;
/** Words of a meta reply: the code, the length, and every flag. */
const WORDS_MAX = 64;

/** Pull style, as `RequestDecoder`: `push`, then `next` until `undefined`. It never throws on input. */
export class TextReplyDecoder {
  readonly #source: ByteSource = new ByteSource();
  readonly #limits: Limits;
  readonly #lineMax: () => number;
  #state: number = At.line;
  #value: Value | undefined;
  #length = 0;

  /** Of the limits `getLine` bounds a line and `body` a value. */
  constructor(limits?: Partial<Limits>) {
    const all = withDefaults(limits);
    this.#limits = all;
    this.#lineMax = () => all.getLine;
  }

  /** Bytes held: at most `getLine + body`, and what was pushed and not yet asked for. */
  get bufferedBytes(): number {
    return this.#source.bufferedBytes + (this.#value === undefined ? 0 : this.#value.end - this.#value.start);
  }

  push(chunk: Uint8Array): void {
    this.#source.push(chunk);
  }

  next(): Reply | undefined {
    const source = this.#source;
    if (this.#state === At.dead) {
      source.drop();
      return undefined;
    }
    if (this.#state === At.line) {
      const outcome = source.line(this.#limits.getLine, this.#lineMax);
      if (outcome === 0) return undefined;
      if (outcome < 0) return this.#die('line_too_long');
      const reply = this.#line(source.found, source.start, source.stop);
      if (reply !== undefined) return reply;
    }
    const value = this.#value!;
    if (this.#state === At.body) {
      if (!source.run(this.#length)) return undefined;
      value.buffer = source.found;
      value.start = source.start;
      value.end = source.stop;
      this.#state = At.bodyEnd;
    }
    if (!source.run(2)) return undefined;
    if (source.found[source.start] !== 13 || source.found[source.start + 1] !== 10)
      return this.#die('bad_data_chunk');
    this.#state = At.line;
    this.#value = undefined;
    return value;
  }

  #die(reason: BadReason): Reply {
    this.#state = At.dead;
    this.#value = undefined;
    this.#source.drop();
    return { wire: 'text', kind: 'bad', reason, fatal: true };
  }

  /** The reply of one line, or `undefined` if a body follows it. */
  #line(buffer: Buffer, start: number, end: number): Reply | undefined {
    const first = buffer[start];
    // VALUE and VA, the only lines with a body, and hot: by their first two bytes.
    if (first === 0x56 && buffer[start + 1] === 0x41) {
      const { words } = tokenize(buffer, start, end, WORDS_MAX);
      if (words[0] === 'VALUE') return this.#startValue(words);
      if (words[0] === 'VA') return this.#startMeta(words);
    }
    return parseReplyLine(buffer.toString('latin1', start, end));
  }

  #startValue(words: string[]): Reply | undefined {
    const flags = parseInteger(words[2] ?? '');
    const length = parseInteger(words[3] ?? '');
    const cas = words.length > 4 ? parseUint64(words[4]!) : undefined;
    if (flags === undefined || flags < 0 || length === undefined || length < 0 || words.length > 5) {
      return this.#die('bad_line');
    }
    if (words.length === 5 && cas === undefined) return this.#die('bad_line');
    const value: TextValue = {
      wire: 'text',
      kind: 'value',
      key: words[1]!,
      flags,
      cas,
      buffer: EMPTY,
      start: 0,
      end: 0,
    };
    return this.#expect(value, length);
  }

  #startMeta(words: string[]): Reply | undefined {
    const length = parseInteger(words[1] ?? '');
    if (length === undefined || length < 0) return this.#die('bad_line');
    return this.#expect(
      { wire: 'meta', kind: 'value', flags: words.slice(2), buffer: EMPTY, start: 0, end: 0 },
      length,
    );
  }

  #expect(value: Value, length: number): Reply | undefined {
    if (length > this.#limits.body) return this.#die('body_too_large');
    this.#value = value;
    this.#length = length;
    this.#state = At.body;
    return undefined;
  }
}

/** A decoder of text and meta replies for one connection. */
export function createTextReplyDecoder(limits?: Partial<Limits>): TextReplyDecoder {
  return new TextReplyDecoder(limits);
}
