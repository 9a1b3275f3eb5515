/**
 * What a client can ask, on each wire. A union told apart by `wire` and `kind`.
 *
 * Keys are bytes on the wire and latin1 strings here (one char per byte), so any key survives the way
 * there and back. Bodies are not copied: `buffer` is the pushed chunk (or an assembled buffer when the
 * body came in pieces) and the body is its bytes from `start` up to `end`. Whoever keeps a body keeps
 * the chunk alive; copy it out if it should outlive the request.
 */
import type { BadReason } from './errors.ts';

export type Wire = 'text' | 'meta' | 'binary';

/** A cas unique or a 64-bit number: a `number` while it is a safe integer, a `bigint` above 2^53 - 1. */
export type Uint64 = number | bigint;

/** Bytes without a copy: those of `buffer` from `start` up to, not including, `end`. */
export interface Body {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

// --- text ---------------------------------------------------------------------------------------

export type GetVerb = 'get' | 'gets' | 'gat' | 'gats';
export type StoreVerb = 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'cas';

/** `get k1 k2 …`, `gets …`, `gat exptime …`. Keys still carry Kestrel's options (`q/open/t=500`). */
export interface TextGet {
  readonly wire: 'text';
  readonly kind: 'get';
  readonly verb: GetVerb;
  /** At least one. */
  readonly keys: string[];
  /** Only with gat and gats. */
  readonly exptime: number | undefined;
}

/** `set key flags exptime bytes [cas] [noreply]` and its body. */
export interface TextStore extends Body {
  readonly wire: 'text';
  readonly kind: 'store';
  readonly verb: StoreVerb;
  readonly key: string;
  /** 0 to 2^32 - 1. */
  readonly flags: number;
  /** As sent: 0 never, negative at once, up to 30 days relative seconds, above that unix time. */
  readonly exptime: number;
  /** Only with the verb cas. */
  readonly cas: Uint64 | undefined;
  readonly noreply: boolean;
}

/** Any other line: delete, touch, incr, stats, Kestrel's management commands, and unknown verbs. */
export interface TextLine {
  readonly wire: 'text';
  readonly kind: 'line';
  /** Lower-cased. */
  readonly verb: string;
  /** Without a final `noreply` when the verb may have one. */
  readonly args: string[];
  readonly noreply: boolean;
}

export type TextRequest = TextGet | TextStore | TextLine;

// --- meta ---------------------------------------------------------------------------------------

/** `configure` (MC): the body is settings of the queue that the key names, as JSON. */
export type MetaStoreMode = 'set' | 'add' | 'append' | 'prepend' | 'replace' | 'configure';
export type MetaArithmeticMode = 'incr' | 'decr';
/** What `ma` does to messages that are held (A, B, T) and to queues (P, R, V, F, C): docs/protocol-messages.md. */
export type MetaQueueMode = 'abort' | 'bury' | 'touch' | 'pause' | 'resume' | 'move' | 'flush' | 'configure';

interface MetaCommon {
  readonly wire: 'meta';
  /** Decoded when it came in base64. */
  readonly key: string;
  /** The flag b: the key came in base64, and goes back so. */
  readonly base64: boolean;
  /** Every flag with its token, in the order sent (`['t', 'v', 'Oabc']`): replies follow that order. */
  readonly flags: string[];
  /** The flag q: leave out the reply of the ordinary outcome (see `metaQuiet`). */
  readonly quiet: boolean;
  /** The token of O, to be echoed. */
  readonly opaque: string | undefined;
}

/** `mg key flags*` */
export interface MetaGet extends MetaCommon {
  readonly kind: 'mg';
  /** The flag v: the value is wanted (VA), else HD. */
  readonly value: boolean;
  /** T: new time to live. */
  readonly exptime: number | undefined;
  /** N: create on a miss with this time to live. */
  readonly vivify: number | undefined;
  /** R: hand out the right to recache when less than this is left. */
  readonly recache: number | undefined;
  /** E: use this as the new cas. */
  readonly newCas: Uint64 | undefined;
  /** B: up to so many messages, at least 1. */
  readonly batch: number | undefined;
}

/** `ms key bytes flags*` and its body. */
export interface MetaSet extends MetaCommon, Body {
  readonly kind: 'ms';
  readonly mode: MetaStoreMode;
  /** F: client flags, 0 if not sent. */
  readonly clientFlags: number;
  /** T: 0 if not sent. */
  readonly exptime: number;
  /** C: store only if the cas is this. */
  readonly cas: Uint64 | undefined;
  readonly newCas: Uint64 | undefined;
  /** I: with an older cas, store but mark stale. */
  readonly invalidate: boolean;
  /** N: in append mode, create on a miss with this time to live. */
  readonly vivify: number | undefined;
  /** D: ready so many milliseconds from now, 0 if not sent. */
  readonly delayMs: number;
  /** P with a digit: 0 to 9. */
  readonly priority: number | undefined;
  /** U: stored once within the queue's window. */
  readonly id: string | undefined;
}

/** `md key flags*` */
export interface MetaDelete extends MetaCommon {
  readonly kind: 'md';
  readonly cas: Uint64 | undefined;
  readonly newCas: Uint64 | undefined;
  readonly exptime: number | undefined;
  /** I: mark stale and don't remove. */
  readonly invalidate: boolean;
  /** x: empty the value, keep the item. */
  readonly removeValue: boolean;
  /** B: so many of the messages that are held, at least 1. */
  readonly batch: number | undefined;
}

/** `ma key flags*` */
export interface MetaArithmetic extends MetaCommon {
  readonly kind: 'ma';
  readonly mode: MetaArithmeticMode | MetaQueueMode;
  readonly value: boolean;
  /** D: 1 if not sent. */
  readonly delta: Uint64;
  /** J: the value to create with N, 0 if not sent. */
  readonly initial: Uint64;
  readonly vivify: number | undefined;
  readonly exptime: number | undefined;
  readonly cas: Uint64 | undefined;
  readonly newCas: Uint64 | undefined;
  /** D, for the modes of queues: 0 if not sent. */
  readonly delayMs: number;
  /** B: at least 1. */
  readonly batch: number | undefined;
  /** K: another queue; in base64 when the key is. */
  readonly target: string | undefined;
}

/** `mn`: answered `MN`, when everything before it has been answered. */
export interface MetaNoop {
  readonly wire: 'meta';
  readonly kind: 'mn';
}

/** `me key [b]`: answered `ME key k=v…` or `EN`. */
export interface MetaDebug extends MetaCommon {
  readonly kind: 'me';
}

export type MetaRequest = MetaGet | MetaSet | MetaDelete | MetaArithmetic | MetaNoop | MetaDebug;

// --- binary -------------------------------------------------------------------------------------

/** One binary request frame. Fields that its opcode doesn't have are `undefined`; the body is the value. */
export interface BinaryRequest extends Body {
  readonly wire: 'binary';
  readonly kind: 'binary';
  /** See `Opcode`. Unknown ones arrive here too, without extras. */
  readonly opcode: number;
  /** To be copied into the reply. */
  readonly opaque: number;
  /** 0 = any. */
  readonly cas: Uint64;
  readonly vbucket: number;
  /** Empty if there is none. */
  readonly key: string;
  /** SET, ADD, REPLACE: client flags. */
  readonly flags: number | undefined;
  /** SET family, TOUCH, GAT, FLUSH, INCREMENT (there 0xffffffff: don't create), unsigned as sent. */
  readonly exptime: number | undefined;
  /** INCREMENT, DECREMENT. */
  readonly delta: Uint64 | undefined;
  readonly initial: Uint64 | undefined;
  /** VERBOSITY. */
  readonly verbosity: number | undefined;
}

// --- refused ------------------------------------------------------------------------------------

/** Input that is no valid request, in its place among the others, so that answers stay in order. */
export interface BadRequest {
  readonly wire: Wire;
  readonly kind: 'bad';
  /** `ERRORS[reason]` has what to answer. */
  readonly reason: BadReason;
  /** The next request can't be found any more: answer and close. The decoder gives nothing after it. */
  readonly fatal: boolean;
  /** The refused text command said noreply: stay silent. */
  readonly noreply: boolean;
  /** Binary only, else 0. */
  readonly opcode: number;
  /** Binary only, else 0. */
  readonly opaque: number;
}

export type Request = TextRequest | MetaRequest | BinaryRequest | BadRequest;
