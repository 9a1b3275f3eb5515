/** What both halves of the handshake share. */
import type { Output } from '../bytes/output.ts';
import { EncodeError } from './errors.ts';
import type { Version } from './frames.ts';
import { METHOD_NAME_BYTES } from './limits.ts';

/** 1 to 29 bytes of 0x21 to 0x7e: spaces set methods apart. */
export function isMethodName(text: string): boolean {
  return text.length <= METHOD_NAME_BYTES && /^[\x21-\x7e]+$/.test(text);
}

export function checkVersion(version: Version): void {
  for (const part of [version.major, version.minor, version.patch]) {
    if (!Number.isInteger(part) || part < 0 || part > 0x7f) {
      throw new EncodeError('invalid_version', 'each number of a version is 0 to 127');
    }
  }
}

export function writeVersion(out: Output, version: Version, patch: boolean): void {
  out.byte(version.major);
  out.byte(version.minor);
  if (patch) out.byte(version.patch);
}
