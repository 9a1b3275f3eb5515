/** Names of groups, sessions and daemons. They are bytes on the wire and latin1 strings here. */
import { knownText } from '../bytes/known-text.ts';
import { EncodeError } from './errors.ts';
import { DAEMON_NAME_BYTES, GROUP_NAME_BYTES, PRIVATE_NAME_BYTES } from './limits.ts';

/** The bytes of a name's field, with the zero at its end. */
export const NAME_FIELD_BYTES = 32;

const FIRST = 0x24;
const LAST = 0x7e;
/** `#`, which no name may have, so that it can set names apart. */
const HASH = 0x23;

function legal(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < FIRST || code > LAST) return false;
  }
  return to > from;
}

/** Whether clients may join it: 1 to 31 bytes of 0x24 to 0x7e. */
export function isGroupName(text: string): boolean {
  return text.length <= GROUP_NAME_BYTES && legal(text, 0, text.length);
}

/** Whether a session may be called so: 1 to 10 bytes of 0x24 to 0x7e. */
export function isPrivateName(text: string): boolean {
  return text.length <= PRIVATE_NAME_BYTES && legal(text, 0, text.length);
}

/** Whether a daemon may be called so: 1 to 19 bytes of 0x24 to 0x7e. */
export function isDaemonName(text: string): boolean {
  return text.length <= DAEMON_NAME_BYTES && legal(text, 0, text.length);
}

/** A session, as its private group names it. */
export interface PrivateGroup {
  readonly name: string;
  readonly daemon: string;
}

/** The parts of `#name#daemon`, `undefined` if the text isn't one. */
export function parsePrivateGroup(text: string): PrivateGroup | undefined {
  if (!isPrivateGroup(text)) return undefined;
  const second = text.indexOf('#', 1);
  return { name: text.slice(1, second), daemon: text.slice(second + 1) };
}

// hot: for the sender of every message delivered, so nothing is cut out of the text.
/** Whether the text is `#name#daemon`. */
export function isPrivateGroup(text: string): boolean {
  if (text.charCodeAt(0) !== HASH) return false;
  const second = text.indexOf('#', 1);
  const end = text.length;
  if (second < 0 || second - 1 > PRIVATE_NAME_BYTES || end - second - 1 > DAEMON_NAME_BYTES) return false;
  return legal(text, 1, second) && legal(text, second + 1, end);
}

/** `#name#daemon`. Throws `EncodeError` for names that can't be. */
export function privateGroup(name: string, daemon: string): string {
  if (!isPrivateName(name))
    throw new EncodeError('invalid_name', `${JSON.stringify(name)} is no private name`);
  if (!isDaemonName(daemon)) {
    throw new EncodeError('invalid_name', `${JSON.stringify(daemon)} is no name of a daemon`);
  }
  return `#${name}#${daemon}`;
}

/** Whether a message can be sent to it: a group, or a session's private group. */
export function isDestination(text: string): boolean {
  return text.charCodeAt(0) === HASH ? isPrivateGroup(text) : isGroupName(text);
}

// hot: twice per message of a client.
/** The name in the field at `at`: up to its first zero, whatever is behind that. 32 chars if there is none. */
export function readName(buffer: Buffer, at: number): string {
  let end = at;
  while (end < at + NAME_FIELD_BYTES && buffer[end] !== 0) end++;
  return knownText(buffer, at, end);
}

/** The names in `count` fields from `at` on. */
export function readNames(buffer: Buffer, at: number, count: number): string[] {
  const names: string[] = [];
  for (let index = 0; index < count; index++) names.push(readName(buffer, at + index * NAME_FIELD_BYTES));
  return names;
}
