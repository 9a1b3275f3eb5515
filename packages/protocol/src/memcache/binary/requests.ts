/** The client's half of the binary wire. Throws `EncodeError` on what can't be sent. */

import type { Output } from '../../bytes/output.ts';
import { EncodeError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { Uint64 } from '../requests.ts';
import { Extras, extrasShape, isRead, needsKey, REQUEST_MAGIC } from './opcodes.ts';

/** What a binary request needs to be sent. Every `BinaryRequest` is one. */
export interface BinaryCommand {
  readonly opcode: number;
  readonly opaque?: number;
  /** 0 or left out: any. */
  readonly cas?: Uint64;
  readonly vbucket?: number;
  /** Latin1, any bytes. */
  readonly key?: string;
  readonly flags?: number | undefined;
  readonly exptime?: number | undefined;
  readonly delta?: Uint64 | undefined;
  readonly initial?: Uint64 | undefined;
  readonly verbosity?: number | undefined;
  /** The value: `buffer[start..end)`, all of `buffer` if the others are left out. */
  readonly buffer?: Buffer;
  readonly start?: number;
  readonly end?: number;
}

const NONE: Buffer = Buffer.alloc(0);

/** Writes one frame, with the extras that its opcode has. */
export function writeBinaryRequest(out: Output, command: BinaryCommand): void {
  const { opcode, opaque = 0, cas = 0, vbucket = 0, key = '', buffer = NONE } = command;
  const { start = 0, end = buffer.length } = command;
  const max = isRead(opcode) ? DEFAULT_LIMITS.readKey : DEFAULT_LIMITS.key;
  if (key.length > max || (key.length === 0 && needsKey(opcode))) {
    throw new EncodeError('invalid_key', `a key has 1 to ${max} bytes, this one has ${key.length}`);
  }
  if (opcode < 0 || opcode > 0xff)
    throw new EncodeError('invalid_command', `an opcode is one byte, not ${opcode}`);
  const { flags = 0, exptime = 0, delta = 1, initial = 0, verbosity = 0 } = command;
  const shape = extrasShape(opcode);
  const optional = shape === Extras.optional && command.exptime !== undefined;
  const extras =
    shape === Extras.store
      ? 8
      : shape === Extras.arithmetic
        ? 20
        : shape === Extras.exptime || shape === Extras.verbosity || optional
          ? 4
          : 0;
  const body = extras + key.length + end - start;
  out.header(REQUEST_MAGIC, opcode, key.length, extras, vbucket, body, opaque, cas);
  if (shape === Extras.store) {
    out.uint32(flags);
    out.uint32(exptime);
  } else if (shape === Extras.arithmetic) {
    out.uint64(delta);
    out.uint64(initial);
    out.uint32(exptime);
  } else if (shape === Extras.verbosity) {
    out.uint32(verbosity);
  } else if (extras === 4) {
    out.uint32(exptime);
  }
  out.latin1(key);
  out.body(buffer, start, end);
}
