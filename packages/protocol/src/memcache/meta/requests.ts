/** The client's half of the meta wire. Throws `EncodeError` on what can't be sent. */

import type { Output } from '../../bytes/output.ts';
import { EncodeError } from '../errors.ts';
import { checkKey } from '../keys.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { Body } from '../requests.ts';
import { checkToken } from '../text/requests.ts';

interface MetaLine {
  readonly key: string;
  /** Letters with their tokens, in the order in which the reply should have them. */
  readonly flags: readonly string[];
  /** Send the key in base64: for keys with spaces or control characters. The flag b is added if missing. */
  readonly base64?: boolean;
}

/** What a meta command needs to be sent. Every `MetaRequest` is one; the fields read from its flags are not used. */
export type MetaCommand =
  | ({ readonly kind: 'mg' | 'md' | 'ma' | 'me' } & MetaLine)
  | ({ readonly kind: 'ms' } & MetaLine & Body)
  | { readonly kind: 'mn' };

const CRLF: Buffer = Buffer.from('\r\n');

/** Writes one command, for ms with its body. */
export function writeMetaRequest(out: Output, command: MetaCommand): void {
  if (command.kind === 'mn') {
    out.latin1('mn\r\n');
    return;
  }
  const base64 = command.base64 === true;
  const max = command.kind === 'mg' ? DEFAULT_LIMITS.readKey : DEFAULT_LIMITS.key;
  if (!base64) checkKey(command.key, max);
  else if (command.key.length === 0 || command.key.length > max) {
    throw new EncodeError('invalid_key', `a key has 1 to ${max} bytes, this one has ${command.key.length}`);
  }
  for (const flag of command.flags) checkToken(flag);
  const marked = command.flags.includes('b');
  if (marked && !base64) throw new EncodeError('invalid_command', 'the flag b needs base64: true');
  out.latin1(command.kind);
  out.byte(32);
  out.latin1(base64 ? Buffer.from(command.key, 'latin1').toString('base64') : command.key);
  if (command.kind === 'ms') {
    out.byte(32);
    out.decimal(command.end - command.start);
  }
  if (base64 && !marked) out.latin1(' b');
  for (const flag of command.flags) {
    out.byte(32);
    out.latin1(flag);
  }
  out.constant(CRLF);
  if (command.kind === 'ms') {
    out.body(command.buffer, command.start, command.end);
    out.constant(CRLF);
  }
}
