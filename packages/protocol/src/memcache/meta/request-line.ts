/**
 * What a meta line means: `mg key flags*`, `ms key bytes flags*`, `md`, `ma`, `mn`, `me`
 * (memcached's doc/protocol.txt, "Meta Commands").
 */

import { EMPTY } from '../../bytes/source.ts';
import { badLine } from '../bad.ts';
import type { BadReason } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { MAX_ANNOUNCED_BODY } from '../limits.ts';
import { parseInteger, parseUint64 } from '../numbers.ts';
import type { MetaArithmetic, MetaStoreMode, Request, Uint64 } from '../requests.ts';
import type { Expect } from '../text/lines.ts';
import type { Tokens } from '../text/tokens.ts';

/**
 * Every letter that some meta command knows, memcached's and (d o p u B K U) those of queues; L, and a P without a
 * number, are left to proxies. A command ignores those of the others.
 */
const KNOWN_FLAGS = 'bcdfhklopqstuvxBCDEFIJKLMNOPRSTU';
/** One bit for each of them by its char code, 0 for all else: to find doubles. */
const KNOWN_BITS: Int32Array = new Int32Array(256);
for (let index = 0; index < KNOWN_FLAGS.length; index++)
  KNOWN_BITS[KNOWN_FLAGS.charCodeAt(index)] = 1 << index;
/** Base64 takes 4 chars for 3 bytes. */
const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4;

const STORE_MODES: Readonly<Record<string, MetaStoreMode>> = {
  S: 'set',
  E: 'add',
  A: 'append',
  P: 'prepend',
  R: 'replace',
  C: 'configure',
};
const ARITHMETIC_MODES: Readonly<Record<string, MetaArithmetic['mode']>> = {
  I: 'incr',
  '+': 'incr',
  D: 'decr',
  '-': 'decr',
  A: 'abort',
  B: 'bury',
  T: 'touch',
  P: 'pause',
  R: 'resume',
  V: 'move',
  F: 'flush',
  C: 'configure',
};

/** The flags of one command, read. */
class Flags {
  readonly list: string[];
  base64 = false;
  quiet = false;
  value = false;
  invalidate = false;
  removeValue = false;
  opaque: string | undefined;
  clientFlags: number | undefined;
  exptime: number | undefined;
  vivify: number | undefined;
  recache: number | undefined;
  cas: Uint64 | undefined;
  newCas: Uint64 | undefined;
  delta: Uint64 | undefined;
  initial: Uint64 | undefined;
  mode: string | undefined;
  priority: number | undefined;
  id: string | undefined;
  batch: number | undefined;
  target: string | undefined;

  constructor(list: string[]) {
    this.list = list;
  }

  read(limits: Limits): BadReason | undefined {
    const { list } = this;
    if (list.length > limits.metaFlags) return 'too_many_flags';
    let seen = 0;
    for (let index = 0; index < list.length; index++) {
      const flag = list[index]!;
      const bit = KNOWN_BITS[flag.charCodeAt(0)]!;
      if (bit === 0) return 'bad_flag';
      if ((seen & bit) !== 0) return 'duplicate_flag';
      seen |= bit;
      const reason = this.#one(flag, limits);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #one(flag: string, limits: Limits): BadReason | undefined {
    let token: Uint64 | undefined;
    switch (flag.charCodeAt(0)) {
      case 0x62: // b
        this.base64 = true;
        return undefined;
      case 0x71: // q
        this.quiet = true;
        return undefined;
      case 0x76: // v
        this.value = true;
        return undefined;
      case 0x49: // I
        this.invalidate = true;
        return undefined;
      case 0x78: // x
        this.removeValue = true;
        return undefined;
      case 0x4f: // O
        this.opaque = flag.slice(1);
        return this.opaque.length > limits.opaque ? 'opaque_too_long' : undefined;
      case 0x4d: // M
        this.mode = flag.slice(1);
        return undefined;
      case 0x46: // F
        token = this.clientFlags = parseInteger(flag.slice(1));
        if (token !== undefined && (token < 0 || token > 0xffff_ffff)) return 'bad_token';
        break;
      case 0x54: // T
        token = this.exptime = parseInteger(flag.slice(1));
        break;
      case 0x4e: // N
        token = this.vivify = parseInteger(flag.slice(1));
        break;
      case 0x52: // R
        token = this.recache = parseInteger(flag.slice(1));
        break;
      case 0x43: // C
        token = this.cas = parseUint64(flag.slice(1));
        break;
      case 0x45: // E
        token = this.newCas = parseUint64(flag.slice(1));
        break;
      case 0x44: // D
        token = this.delta = parseUint64(flag.slice(1));
        break;
      case 0x4a: // J
        token = this.initial = parseUint64(flag.slice(1));
        break;
      case 0x42: // B
        token = this.batch = parseInteger(flag.slice(1));
        if (token !== undefined && token < 1) return 'bad_token';
        break;
      case 0x50: // P
        if (!/^P\d/.test(flag)) return undefined;
        if (flag.length > 2) return 'bad_token';
        this.priority = Number(flag[1]);
        return undefined;
      case 0x55: // U
        this.id = flag.slice(1);
        return this.id.length === 0 || this.id.length > limits.id ? 'bad_token' : undefined;
      case 0x4b: // K
        this.target = flag.slice(1);
        return this.target.length === 0 ? 'bad_token' : undefined;
      default:
        return undefined;
    }
    return token === undefined ? 'bad_token' : undefined;
  }
}

/** The key as bytes in latin1, or why it is none. */
function readKey(word: string, base64: boolean, max: number): { key: string } | { reason: BadReason } {
  if (!base64) return word.length > max ? { reason: 'key_too_long' } : { key: word };
  if (word.length > base64Length(max)) return { reason: 'key_too_long' };
  const bytes = Buffer.from(word, 'base64');
  // Node's decoder forgives anything: only what encodes back to itself was base64.
  if (bytes.length === 0 || bytes.toString('base64') !== word) return { reason: 'bad_base64' };
  return bytes.length > max ? { reason: 'key_too_long' } : { key: bytes.toString('latin1') };
}

export function parseMeta(
  verb: 'mg' | 'ms' | 'md' | 'ma' | 'mn' | 'me',
  tokens: Tokens,
  limits: Limits,
): Request | Expect {
  if (verb === 'mn') return { wire: 'meta', kind: 'mn' };
  if (verb === 'ms') return parseSet(tokens, limits);
  const { words } = tokens;
  if (words.length < 2) return badLine('meta', 'missing_arguments', false, false);
  if (!tokens.clean || tokens.overflow) return badLine('meta', 'bad_line', false, false);
  const flags = new Flags(words.slice(2));
  const reason = flags.read(limits);
  if (reason !== undefined) return badLine('meta', reason, false, false);
  const found = readKey(words[1]!, flags.base64, verb === 'mg' ? limits.readKey : limits.key);
  if ('reason' in found) return badLine('meta', found.reason, false, false);
  const common = {
    wire: 'meta' as const,
    key: found.key,
    base64: flags.base64,
    flags: flags.list,
    quiet: flags.quiet,
    opaque: flags.opaque,
  };
  const { value, exptime, vivify, recache, cas, newCas, invalidate, removeValue, batch } = flags;
  if (verb === 'mg') return { ...common, kind: 'mg', value, exptime, vivify, recache, newCas, batch };
  if (verb === 'md') return { ...common, kind: 'md', cas, newCas, exptime, invalidate, removeValue, batch };
  if (verb === 'me') return { ...common, kind: 'me' };
  const mode = flags.mode === undefined ? 'incr' : ARITHMETIC_MODES[flags.mode.toUpperCase()];
  if (mode === undefined) return badLine('meta', 'bad_token', false, false);
  const { delta = 1, initial = 0 } = flags;
  let target: string | undefined;
  if (flags.target !== undefined) {
    const named = readKey(flags.target, flags.base64, limits.key);
    if ('reason' in named) return badLine('meta', named.reason, false, false);
    target = named.key;
  }
  return {
    ...common,
    kind: 'ma',
    mode,
    value,
    delta,
    initial,
    vivify,
    exptime,
    cas,
    newCas,
    delayMs: Number(flags.delta ?? 0),
    batch,
    target,
  };
}

function parseSet(tokens: Tokens, limits: Limits): Request | Expect {
  const { words } = tokens;
  const length = words.length > 2 ? parseInteger(words[2]!) : undefined;
  if (length === undefined || length < 0 || length > MAX_ANNOUNCED_BODY) {
    // Where the body ends can't be told: see parseStore in text/lines.ts.
    return badLine('meta', words.length > 2 ? 'bad_data_chunk' : 'missing_arguments', true, false);
  }
  const flags = new Flags(words.slice(3));
  const refuse = (reason: BadReason): Expect => ({
    kind: 'expect',
    wire: 'meta',
    length,
    request: undefined,
    reason,
    noreply: false,
  });
  if (!tokens.clean || tokens.overflow) return refuse('bad_line');
  const reason = flags.read(limits);
  if (reason !== undefined) return refuse(reason);
  const found = readKey(words[1]!, flags.base64, limits.key);
  if ('reason' in found) return refuse(found.reason);
  const mode = flags.mode === undefined ? 'set' : STORE_MODES[flags.mode.toUpperCase()];
  if (mode === undefined) return refuse('bad_token');
  if (length > limits.body) return refuse('body_too_large');
  return {
    kind: 'expect',
    wire: 'meta',
    length,
    request: {
      wire: 'meta',
      kind: 'ms',
      key: found.key,
      base64: flags.base64,
      flags: flags.list,
      quiet: flags.quiet,
      opaque: flags.opaque,
      mode,
      clientFlags: flags.clientFlags ?? 0,
      exptime: flags.exptime ?? 0,
      cas: flags.cas,
      newCas: flags.newCas,
      invalidate: flags.invalidate,
      vivify: flags.vivify,
      delayMs: Number(flags.delta ?? 0),
      priority: flags.priority,
      id: flags.id,
      buffer: EMPTY,
      start: 0,
      end: 0,
    },
    reason: 'bad_data_chunk',
    noreply: false,
  };
}
