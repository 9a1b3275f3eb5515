/** The server's half of the text wire: replies written into an `Output`. Strings must be latin1, and without line ends. */

import type { Output } from '../../bytes/output.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { Uint64 } from '../requests.ts';

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`, 'latin1');

const VALUE = Buffer.from('VALUE ');
const STAT = Buffer.from('STAT ');
const CRLF = Buffer.from('\r\n');

/** A reply of one fixed word. */
export type TextStatus =
  | 'END'
  | 'STORED'
  | 'NOT_STORED'
  | 'EXISTS'
  | 'NOT_FOUND'
  | 'DELETED'
  | 'TOUCHED'
  | 'OK'
  | 'RESET'
  | 'ERROR';

/** The replies that never change. */
const CONSTANTS: Readonly<Record<TextStatus, Buffer>> = {
  END: line('END'),
  STORED: line('STORED'),
  NOT_STORED: line('NOT_STORED'),
  EXISTS: line('EXISTS'),
  NOT_FOUND: line('NOT_FOUND'),
  DELETED: line('DELETED'),
  TOUCHED: line('TOUCHED'),
  OK: line('OK'),
  RESET: line('RESET'),
  ERROR: line('ERROR'),
};

const ERROR_LINES = Object.fromEntries(
  Object.entries(ERRORS).map(([code, reply]) => [code, line(reply.text)]),
) as Record<ErrorCode, Buffer>;

/** `STORED\r\n` and the like. */
export function writeTextStatus(out: Output, status: TextStatus): void {
  out.constant(CONSTANTS[status]);
}

/** The line that `ERRORS` has for this refusal, on the text and meta wires alike. */
export function writeTextError(out: Output, code: ErrorCode): void {
  out.constant(ERROR_LINES[code]);
}

/** Any line, such as `VERSION 1.0.0`. Line ends inside `text` become spaces: a reply is one line. */
export function writeTextLine(out: Output, text: string): void {
  out.latin1(oneLine(text));
  out.constant(CRLF);
}

/** The bare number that incr and Kestrel's flush_expired answer. */
export function writeTextNumber(out: Output, value: Uint64): void {
  out.decimal(value);
  out.constant(CRLF);
}

/** `STAT name value` */
export function writeTextStat(out: Output, name: string, value: string | number | bigint): void {
  out.constant(STAT);
  out.latin1(oneLine(name));
  out.byte(32);
  out.latin1(typeof value === 'string' ? oneLine(value) : String(value));
  out.constant(CRLF);
}

/**
 * `VALUE key flags bytes[ cas]` and the body, `buffer[start..end)`. `END` comes after the last: `writeTextStatus`.
 *
 * hot: one per item delivered.
 */
export function writeTextValue(
  out: Output,
  key: string,
  flags: number,
  buffer: Buffer,
  start: number,
  end: number,
  cas?: Uint64,
): void {
  const length = end - start;
  if (cas === undefined && key === last.key && flags === last.flags && length === last.length) {
    last.line ??= line(`VALUE ${key} ${flags} ${length}`);
    out.constant(last.line);
  } else {
    writeValueLine(out, key, flags, length, cas);
  }
  out.body(buffer, start, end);
  out.constant(CRLF);
}

/** The line of the value before: what comes out of one queue is mostly alike. Made when it comes a second time. */
const last = { key: '', flags: -1, length: -1, line: undefined as Buffer | undefined };

function writeValueLine(
  out: Output,
  key: string,
  flags: number,
  length: number,
  cas: Uint64 | undefined,
): void {
  last.key = key;
  last.flags = flags;
  last.length = length;
  last.line = undefined;
  out.constant(VALUE);
  out.latin1(key);
  out.byte(32);
  out.decimal(flags);
  out.byte(32);
  out.decimal(length);
  if (cas !== undefined) {
    out.byte(32);
    out.decimal(cas);
  }
  out.constant(CRLF);
}

/** Names and messages may come from a peer: they can't be let to begin a line of their own. */
function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
}
