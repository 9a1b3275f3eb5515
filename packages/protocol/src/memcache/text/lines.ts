/** What a text line means. Lines with a body (`set` and its like, `ms`) come back as `Expect`. */

import { EMPTY } from '../../bytes/source.ts';
import { badLine } from '../bad.ts';
import type { BadReason } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { MAX_ANNOUNCED_BODY } from '../limits.ts';
import { parseMeta } from '../meta/request-line.ts';
import { parseInteger, parseUint64 } from '../numbers.ts';
import type { GetVerb, MetaSet, Request, StoreVerb, TextStore, Uint64, Wire } from '../requests.ts';
import { type Tokens, tokenize } from './tokens.ts';

/** A request that waits for its body. */
export type Awaiting =
  | { -readonly [K in keyof TextStore]: TextStore[K] }
  | { -readonly [K in keyof MetaSet]: MetaSet[K] };

/** A line that announced a body of `length` bytes: either a request to complete with it, or a refusal to give after it. */
export interface Expect {
  readonly kind: 'expect';
  readonly wire: Wire;
  readonly length: number;
  readonly request: Awaiting | undefined;
  readonly reason: BadReason;
  readonly noreply: boolean;
}

/** Verbs of lines without a body that may end in `noreply` (memcached's doc/protocol.txt). */
const MAY_NOREPLY: ReadonlySet<string> = new Set([
  'delete',
  'incr',
  'decr',
  'touch',
  'flush_all',
  'verbosity',
]);
/** Those of them whose first argument is a key. */
const KEYED: ReadonlySet<string> = new Set(['delete', 'incr', 'decr', 'touch']);
/** Words in a line that isn't a get: a meta command with every flag, and a `stats` or `dump_stats` with many names. */
const WORDS_MAX = 1024;

/** The words of one line, told apart by the first. */
export function parseLine(buffer: Buffer, start: number, end: number, limits: Limits): Request | Expect {
  const reads = isGetLine(buffer, start, end);
  // A gat has its exptime among the words; one word more tells "too many" from "just as many".
  const tokens = tokenize(buffer, start, end, reads ? limits.keys + 2 : WORDS_MAX);
  const first = tokens.words[0];
  if (first === undefined) return badLine('text', 'empty_line', false, false);
  const verb = first.toLowerCase();
  switch (verb) {
    case 'get':
    case 'gets':
    case 'gat':
    case 'gats':
      return parseGet(verb, tokens, limits);
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
    case 'cas':
      return parseStore(verb, tokens, limits);
    case 'mg':
    case 'ms':
    case 'md':
    case 'ma':
    case 'mn':
    case 'me':
      return parseMeta(verb, tokens, limits);
    default:
      return parseOther(verb, tokens, limits);
  }
}

/** Whether a line, seen from its first bytes, is a read with keys, which may be long. */
function isGetLine(buffer: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 4 && isGetStart(buffer[start]!, buffer[start + 1]!, buffer[start + 2]!, buffer[start + 3]!)
  );
}

/** `get `, `gets`, `gat ` or `gats`, in any case. */
export function isGetStart(first: number, second: number, third: number, fourth: number): boolean {
  const vowel = second | 32;
  return (
    (first | 32) === 0x67 &&
    (vowel === 0x65 || vowel === 0x61) &&
    (third | 32) === 0x74 &&
    (fourth === 32 || (fourth | 32) === 0x73)
  );
}

function parseGet(verb: GetVerb, tokens: Tokens, limits: Limits): Request {
  const { words } = tokens;
  const touches = verb === 'gat' || verb === 'gats';
  const from = touches ? 2 : 1;
  if (words.length <= from) return badLine('text', 'missing_arguments', false, false);
  if (!tokens.clean) return badLine('text', 'bad_key', false, false);
  if (words.length - from > limits.keys || tokens.overflow)
    return badLine('text', 'too_many_keys', false, false);
  let exptime: number | undefined;
  if (touches) {
    exptime = parseInteger(words[1]!);
    if (exptime === undefined) return badLine('text', 'bad_exptime', false, false);
  }
  const keys = words.slice(from);
  for (const key of keys) {
    if (key.length > limits.readKey) return badLine('text', 'key_too_long', false, false);
  }
  return { wire: 'text', kind: 'get', verb, keys, exptime };
}

/**
 * `set key flags exptime bytes [noreply]`, `cas key flags exptime bytes unique [noreply]`.
 *
 * When the line does not say where its body ends, the body can't be told from commands, and a value that
 * holds `flush_all` must not run it: then the refusal is fatal (memcached goes on, and runs it).
 */
function parseStore(verb: StoreVerb, tokens: Tokens, limits: Limits): Request | Expect {
  const { words } = tokens;
  const needed = verb === 'cas' ? 6 : 5;
  const noreply = words.length > 1 && words[words.length - 1] === 'noreply';
  if (words.length < needed) return badLine('text', 'missing_arguments', true, noreply);
  if (words.length > needed + 1 || (words.length > needed && !noreply)) {
    return badLine('text', 'bad_line', true, noreply);
  }
  const length = parseInteger(words[4]!);
  if (length === undefined || length < 0 || length > MAX_ANNOUNCED_BODY) {
    return badLine('text', 'bad_line', true, noreply);
  }
  const silent = noreply && words.length > needed;
  const key = words[1]!;
  const flags = parseInteger(words[2]!);
  const exptime = parseInteger(words[3]!);
  const cas = verb === 'cas' ? parseUint64(words[5]!) : undefined;
  let reason: BadReason | undefined;
  if (key.length > limits.key) reason = 'key_too_long';
  else if (!tokens.clean) reason = 'bad_key';
  else if (flags === undefined || flags < 0 || flags > 0xffff_ffff) reason = 'bad_line';
  else if (exptime === undefined) reason = 'bad_line';
  else if (verb === 'cas' && cas === undefined) reason = 'bad_line';
  else if (length > limits.body) reason = 'body_too_large';
  if (reason !== undefined) {
    return { kind: 'expect', wire: 'text', length, request: undefined, reason, noreply: silent };
  }
  const request = storeRequest(verb, key, flags!, exptime!, cas, silent, EMPTY, 0, 0);
  return { kind: 'expect', wire: 'text', length, request, reason: 'bad_data_chunk', noreply: silent };
}

/** One maker for the slow and the fast path: every store has one shape. */
export function storeRequest(
  verb: StoreVerb,
  key: string,
  flags: number,
  exptime: number,
  cas: Uint64 | undefined,
  noreply: boolean,
  buffer: Buffer,
  start: number,
  end: number,
): TextStore {
  return { wire: 'text', kind: 'store', verb, key, flags, exptime, cas, noreply, buffer, start, end };
}

function parseOther(verb: string, tokens: Tokens, limits: Limits): Request {
  const args = tokens.words.slice(1);
  const noreply = MAY_NOREPLY.has(verb) && args[args.length - 1] === 'noreply';
  if (noreply) args.pop();
  if (!tokens.clean || tokens.overflow) return badLine('text', 'bad_line', false, noreply);
  if (KEYED.has(verb) && args.length > 0 && args[0]!.length > limits.key) {
    return badLine('text', 'key_too_long', false, noreply);
  }
  return { wire: 'text', kind: 'line', verb, args, noreply };
}
