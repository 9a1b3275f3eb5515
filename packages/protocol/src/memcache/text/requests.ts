/** The client's half of the text wire: requests written into an `Output`. Throws `EncodeError` on what can't be sent. */

import type { Output } from '../../bytes/output.ts';
import { EncodeError } from '../errors.ts';
import { checkKey } from '../keys.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { TextRequest, TextStore } from '../requests.ts';

const CRLF: Buffer = Buffer.from('\r\n');
const NOREPLY: Buffer = Buffer.from(' noreply');

/** Writes one request. `decode(encode(request))` gives the same request. */
export function writeTextRequest(out: Output, request: TextRequest): void {
  if (request.kind === 'store') {
    writeStore(out, request);
    return;
  }
  if (request.kind === 'get') {
    if (request.keys.length === 0) throw new EncodeError('invalid_command', 'a get needs a key');
    for (const key of request.keys) checkKey(key, DEFAULT_LIMITS.readKey);
    const touches = request.verb === 'gat' || request.verb === 'gats';
    if (touches) checkInteger('exptime', request.exptime);
    out.latin1(request.verb);
    if (touches) {
      out.byte(32);
      out.decimal(request.exptime!);
    }
    for (const key of request.keys) {
      out.byte(32);
      out.latin1(key);
    }
  } else {
    checkToken(request.verb);
    for (const arg of request.args) checkToken(arg);
    out.latin1(request.verb);
    for (const arg of request.args) {
      out.byte(32);
      out.latin1(arg);
    }
    if (request.noreply) out.constant(NOREPLY);
  }
  out.constant(CRLF);
}

function writeStore(out: Output, request: TextStore): void {
  checkKey(request.key, DEFAULT_LIMITS.key);
  checkInteger('exptime', request.exptime);
  if (!Number.isInteger(request.flags) || request.flags < 0 || request.flags > 0xffff_ffff) {
    throw new EncodeError('invalid_number', `flags are 0 to 4294967295, not ${request.flags}`);
  }
  if (request.verb === 'cas' && request.cas === undefined) {
    throw new EncodeError('invalid_number', 'cas needs the cas unique that gets gave');
  }
  out.latin1(request.verb);
  out.byte(32);
  out.latin1(request.key);
  out.byte(32);
  out.decimal(request.flags);
  out.byte(32);
  out.decimal(request.exptime);
  out.byte(32);
  out.decimal(request.end - request.start);
  if (request.verb === 'cas') {
    out.byte(32);
    out.decimal(request.cas!);
  }
  if (request.noreply) out.constant(NOREPLY);
  out.constant(CRLF);
  out.body(request.buffer, request.start, request.end);
  out.constant(CRLF);
}

function checkInteger(name: string, value: number | undefined): void {
  if (!Number.isSafeInteger(value)) {
    throw new EncodeError('invalid_number', `${name} is a whole number of seconds, not ${value}`);
  }
}

/** Throws `EncodeError` `invalid_token` unless `text` can stand as one word of a line. */
export function checkToken(text: string): void {
  if (!/^[\x21-\xff]+$/.test(text)) {
    throw new EncodeError('invalid_token', `${JSON.stringify(text)} can't be one word of a command line`);
  }
}
