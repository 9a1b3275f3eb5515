/**
 * What a server can answer, on each wire, as a client's decoder gives it.
 *
 * Text replies don't say which request they answer, and some only make sense knowing it: a decoder gives
 * them one by one, and the client pairs them with what it asked.
 */
import type { BadReason } from './errors.ts';
import type { MetaCode } from './meta/replies.ts';
import type { Body, Uint64, Wire } from './requests.ts';

/** `VALUE key flags bytes[ cas]` and its body: see `Body` for how long the buffer may be kept. */
export interface TextValue extends Body {
  readonly wire: 'text';
  readonly kind: 'value';
  readonly key: string;
  readonly flags: number;
  /** Only in the answer to gets and gats. */
  readonly cas: Uint64 | undefined;
}

/** `END`: the end of values, of statistics, and of Kestrel's listings. */
export interface TextEnd {
  readonly wire: 'text';
  readonly kind: 'end';
}

/** `STAT name value` */
export interface TextStat {
  readonly wire: 'text';
  readonly kind: 'stat';
  readonly name: string;
  readonly value: string;
}

/** A bare number: incr, decr, and Kestrel's flush_expired. */
export interface TextNumber {
  readonly wire: 'text';
  readonly kind: 'number';
  readonly value: Uint64;
}

/** A refusal. A server that answers one may close the connection after it. */
export interface TextError {
  readonly wire: 'text';
  readonly kind: 'error';
  readonly error: 'ERROR' | 'CLIENT_ERROR' | 'SERVER_ERROR';
  /** Without the word in `error`, '' if that is all. */
  readonly message: string;
}

/** Any other line, whole and with its leading spaces: `STORED`, `VERSION 1.0.0`, Kestrel's `Reloaded config.` … */
export interface TextReplyLine {
  readonly wire: 'text';
  readonly kind: 'line';
  readonly text: string;
}

export type TextReply = TextValue | TextEnd | TextStat | TextNumber | TextError | TextReplyLine;

/** `HD flags*` and the other codes without a value. */
export interface MetaStatusReply {
  readonly wire: 'meta';
  readonly kind: 'status';
  readonly code: MetaCode;
  readonly flags: string[];
}

/** `VA bytes flags*` and the value. */
export interface MetaValueReply extends Body {
  readonly wire: 'meta';
  readonly kind: 'value';
  readonly flags: string[];
}

/** `ME key name=value*` */
export interface MetaDebugReply {
  readonly wire: 'meta';
  readonly kind: 'debug';
  /** As sent: base64 if it was asked in base64. */
  readonly key: string;
  readonly facts: string[];
}

export type MetaReply = MetaStatusReply | MetaValueReply | MetaDebugReply;

/** One binary response frame; the body is the value, or the message of a refusal. */
export interface BinaryReply extends Body {
  readonly wire: 'binary';
  readonly kind: 'binary';
  readonly opcode: number;
  /** See `Status`. */
  readonly status: number;
  readonly opaque: number;
  readonly cas: Uint64;
  readonly key: string;
  /** The client flags, if the extras are the 4 bytes of a value. */
  readonly flags: number | undefined;
  /** The value of a successful INCREMENT or DECREMENT. */
  readonly number: Uint64 | undefined;
}

/** Bytes that are no reply. What comes after can't be trusted: close. The decoder gives nothing after it. */
export interface BadReply {
  readonly wire: Wire;
  readonly kind: 'bad';
  readonly reason: BadReason;
  readonly fatal: true;
}

export type Reply = TextReply | MetaReply | BinaryReply | BadReply;
