/** The server's half of the binary wire. Quiet requests: see `isQuietOpcode`; what to leave out is the server's to do. */

import type { Output } from '../../bytes/output.ts';
import { ERRORS, type ErrorCode, Status } from '../errors.ts';
import type { Uint64 } from '../requests.ts';
import { Opcode, RESPONSE_MAGIC } from './opcodes.ts';

const NONE: Buffer = Buffer.alloc(0);

/** What a reply takes over from its request. */
export interface BinaryOrigin {
  readonly opcode: number;
  readonly opaque: number;
}

const MESSAGES: Readonly<Record<ErrorCode, string>> = Object.fromEntries(
  Object.entries(ERRORS).map(([code, reply]) => [code, reply.text.replace(/^(CLIENT|SERVER)_ERROR /, '')]),
) as Record<ErrorCode, string>;

function write(
  out: Output,
  origin: BinaryOrigin,
  status: number,
  cas: Uint64,
  extras: number,
  key: string,
  bodyLength: number,
): void {
  out.header(
    RESPONSE_MAGIC,
    origin.opcode,
    key.length,
    extras,
    status,
    extras + key.length + bodyLength,
    origin.opaque,
    cas,
  );
}

/** A success without content: SET, DELETE, NOOP, the end of STAT… `cas` 0 where there is none. */
export function writeBinaryOk(out: Output, origin: BinaryOrigin, cas: Uint64 = 0): void {
  write(out, origin, Status.success, cas, 0, '', 0);
}

/** A refusal, with the status and the message that `ERRORS` has for it. */
export function writeBinaryError(out: Output, origin: BinaryOrigin, code: ErrorCode): void {
  const message = MESSAGES[code];
  write(out, origin, ERRORS[code].status, 0, 0, '', message.length);
  out.latin1(message);
}

/** GET and its like, and GAT: flags in the extras, the key if the opcode asks for it, else ''. */
export function writeBinaryValue(
  out: Output,
  origin: BinaryOrigin,
  flags: number,
  key: string,
  buffer: Buffer,
  start: number,
  end: number,
  cas: Uint64 = 0,
): void {
  write(out, origin, Status.success, cas, 4, key, end - start);
  out.uint32(flags);
  out.latin1(key);
  out.body(buffer, start, end);
}

/** INCREMENT and DECREMENT. */
export function writeBinaryNumber(out: Output, origin: BinaryOrigin, value: Uint64, cas: Uint64 = 0): void {
  write(out, origin, Status.success, cas, 0, '', 8);
  out.uint64(value);
}

/** VERSION, SASL LIST, and any status with a text (SASL: `Status.authContinue` and a challenge). Latin1. */
export function writeBinaryText(
  out: Output,
  origin: BinaryOrigin,
  text: string,
  status: number = Status.success,
): void {
  write(out, origin, status, 0, 0, '', text.length);
  out.latin1(text);
}

/** One statistic; after the last comes one with an empty name and value. */
export function writeBinaryStat(out: Output, opaque: number, name: string, value: string): void {
  write(out, { opcode: Opcode.stat, opaque }, Status.success, 0, 0, name, value.length);
  out.latin1(name);
  out.latin1(value);
}

/** Any frame, for what the others don't cover. */
export function writeBinaryReply(
  out: Output,
  origin: BinaryOrigin,
  reply: {
    readonly status: number;
    readonly cas?: Uint64;
    readonly extras?: Buffer;
    readonly key?: string;
    readonly value?: Buffer;
  },
): void {
  const { status, cas = 0, extras = NONE, key = '', value = NONE } = reply;
  write(out, origin, status, cas, extras.length, key, value.length);
  out.constant(extras);
  out.latin1(key);
  out.body(value, 0, value.length);
}
