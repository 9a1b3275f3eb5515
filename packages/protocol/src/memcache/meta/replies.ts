/** The server's half of the meta wire (memcached's doc/protocol.txt, "Meta Commands"). Errors go out as on the text wire: `writeTextError`. */
import type { Output } from '../../bytes/output.ts';
import type { MetaRequest, Uint64 } from '../requests.ts';

/**
 * HD done, EN no such item (mg, me), NF no such item (md, ma, ms), NS not stored, EX the cas is another,
 * MN the answer to mn. `VA` comes with a value: `writeMetaValue`.
 */
export type MetaCode = 'HD' | 'EN' | 'NF' | 'NS' | 'EX' | 'MN';

const CODES: Readonly<Record<MetaCode, Buffer>> = {
  HD: Buffer.from('HD'),
  EN: Buffer.from('EN'),
  NF: Buffer.from('NF'),
  NS: Buffer.from('NS'),
  EX: Buffer.from('EX'),
  MN: Buffer.from('MN'),
};
const VALUE: Buffer = Buffer.from('VA ');
const DEBUG: Buffer = Buffer.from('ME ');
const CRLF: Buffer = Buffer.from('\r\n');
const NONE: readonly string[] = [];

function writeFlags(out: Output, flags: readonly string[]): void {
  for (let index = 0; index < flags.length; index++) {
    out.byte(32);
    out.latin1(flags[index]!);
  }
}

/** `HD flags*` and the like. */
export function writeMetaStatus(out: Output, code: MetaCode, flags: readonly string[] = NONE): void {
  out.constant(CODES[code]);
  writeFlags(out, flags);
  out.constant(CRLF);
}

/** `VA bytes flags*` and the value, `buffer[start..end)`. */
export function writeMetaValue(
  out: Output,
  flags: readonly string[],
  buffer: Buffer,
  start: number,
  end: number,
): void {
  out.constant(VALUE);
  out.decimal(end - start);
  writeFlags(out, flags);
  out.constant(CRLF);
  out.body(buffer, start, end);
  out.constant(CRLF);
}

/** `ME key name=value…`, the answer to `me`. `request` says whether the key goes back in base64. */
export function writeMetaDebug(
  out: Output,
  request: { readonly key: string; readonly base64: boolean },
  facts: Readonly<Record<string, string | number>>,
): void {
  out.constant(DEBUG);
  out.latin1(request.base64 ? encodeKey(request.key) : request.key);
  for (const [name, value] of Object.entries(facts)) {
    out.byte(32);
    out.latin1(`${name}=${value}`);
  }
  out.constant(CRLF);
}

/** What is known of an item, for the flags that ask for it. What isn't given isn't returned. */
export interface MetaFacts {
  readonly clientFlags?: number;
  /** Bytes of the value. */
  readonly size?: number;
  /** Seconds left, -1 for no end. */
  readonly ttl?: number;
  readonly cas?: Uint64;
  /** It was read before. */
  readonly hit?: boolean;
  /** Seconds since the last read. */
  readonly lastAccess?: number;
  /** The client won (W), or another client holds (Z), the right to recache. */
  readonly recache?: 'W' | 'Z';
  /** X: the value is stale. */
  readonly stale?: boolean;
  /** Which delivery of the message this is. */
  readonly deliveries?: number;
  readonly priority?: number;
  /** The message's id. */
  readonly id?: string | undefined;
  /** The queue that a dead letter came from. */
  readonly origin?: string | undefined;
  /** U: known by its id, and not stored again. */
  readonly duplicate?: boolean;
}

/** The return flags of a reply in the order in which the request had them, then W, X, Z, U. On a miss leave out `facts`: the key and the opaque are returned all the same. */
export function metaReturnFlags(
  request: Exclude<MetaRequest, { readonly kind: 'mn' }>,
  facts: MetaFacts = {},
): string[] {
  const flags: string[] = [];
  const add = (letter: string, value: number | bigint | undefined): void => {
    if (value !== undefined) flags.push(`${letter}${value}`);
  };
  for (const flag of request.flags) {
    switch (flag[0]) {
      case 'O':
        flags.push(flag);
        break;
      case 'k':
        flags.push(`k${request.base64 ? encodeKey(request.key) : request.key}`);
        if (request.base64) flags.push('b');
        break;
      case 'f':
        add('f', facts.clientFlags);
        break;
      case 's':
        add('s', facts.size);
        break;
      case 't':
        add('t', facts.ttl);
        break;
      case 'c':
        add('c', facts.cas);
        break;
      case 'h':
        add('h', facts.hit === undefined ? undefined : Number(facts.hit));
        break;
      case 'l':
        add('l', facts.lastAccess);
        break;
      case 'd':
        add('d', facts.deliveries);
        break;
      case 'p':
        add('p', facts.priority);
        break;
      case 'u':
        if (facts.id !== undefined) flags.push(`u${facts.id}`);
        break;
      case 'o':
        if (facts.origin !== undefined) {
          const plain = !request.base64 && /^[\x21-\x7e\x80-\xff]+$/.test(facts.origin);
          flags.push(`o${plain ? facts.origin : encodeKey(facts.origin)}`);
        }
        break;
    }
  }
  if (facts.recache === 'W') flags.push('W');
  if (facts.stale === true) flags.push('X');
  if (facts.recache === 'Z') flags.push('Z');
  if (facts.duplicate === true) flags.push('U');
  return flags;
}

/**
 * Whether a request with the flag q leaves this reply out: the miss of mg, the success of ms, md and ma, and
 * for md the miss too. Errors and values are always sent.
 */
export function metaQuiet(kind: MetaRequest['kind'], code: MetaCode): boolean {
  if (kind === 'mg' || kind === 'me') return code === 'EN';
  if (kind === 'md') return code === 'HD' || code === 'NF';
  return (kind === 'ms' || kind === 'ma') && code === 'HD';
}

function encodeKey(key: string): string {
  return Buffer.from(key, 'latin1').toString('base64');
}
