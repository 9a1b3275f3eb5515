/** The daemon's half of the handshake. */
import type { Output } from '../../bytes/output.ts';
import { EncodeError, REFUSAL_CODES, type Refusal, ResultCode } from '../errors.ts';
import type { Version } from '../frames.ts';
import { checkVersion, isMethodName, writeVersion } from '../handshake.ts';
import { METHOD_LIST_BYTES } from '../limits.ts';
import { parsePrivateGroup } from '../names.ts';
import { atLeast, SENDS_PATCH } from '../versions.ts';

/** Refuses a client: one signed byte. Close behind it. */
export function writeRefusal(out: Output, refusal: Refusal): void {
  out.byte(REFUSAL_CODES[refusal] & 0xff);
}

/** The methods that a client may choose from: `['NULL']` lets everyone in. Only for one that `choosesMethod`. */
export function writeMethods(out: Output, methods: readonly string[]): void {
  // Each with a space behind it, the last one too, as Spread writes them.
  const list = methods.map((method) => `${method} `).join('');
  if (methods.length === 0 || !methods.every(isMethodName) || list.length > METHOD_LIST_BYTES) {
    throw new EncodeError('invalid_method', `these are no methods that a client could read: ${list}`);
  }
  out.byte(list.length);
  out.latin1(list);
}

/** Lets a client in. `client` is its own version: before 3.15 it wants no patch. */
export function writeAccept(out: Output, version: Version, group: string, client: Version): void {
  if (parsePrivateGroup(group) === undefined) {
    throw new EncodeError('invalid_name', `${JSON.stringify(group)} is no private group`);
  }
  checkVersion(version);
  out.byte(ResultCode.acceptSession);
  writeVersion(out, version, atLeast(client.major, client.minor, SENDS_PATCH));
  out.byte(group.length);
  out.latin1(group);
}
