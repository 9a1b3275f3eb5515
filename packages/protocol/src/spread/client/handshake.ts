/** The client's half of the handshake. */
import type { Output } from '../../bytes/output.ts';
import { EncodeError } from '../errors.ts';
import type { Version } from '../frames.ts';
import { checkVersion, isMethodName, writeVersion } from '../handshake.ts';
import { METHOD_NAME_BYTES, METHODS } from '../limits.ts';
import { isPrivateName } from '../names.ts';
import { atLeast, SENDS_PATCH } from '../versions.ts';

/** The version that a client gives itself if it isn't told: that of the Spread whose protocol this is. */
export const VERSION: Version = { major: 5, minor: 0, patch: 1 };

export interface Connecting {
  /** '' lets the daemon choose. */
  readonly name: string;
  /** Whether to be sent membership messages. */
  readonly membership: boolean;
  /** 0 to 15. 0 if not given. */
  readonly priority?: number;
  /** `VERSION` if not given. The decoder must be told the same. */
  readonly version?: Version;
}

/** A client's first words. */
export function writeConnect(out: Output, connecting: Connecting): void {
  const { name, membership, priority = 0, version = VERSION } = connecting;
  if (name !== '' && !isPrivateName(name)) {
    throw new EncodeError('invalid_name', `${JSON.stringify(name)} is no private name`);
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > 15) {
    throw new EncodeError('invalid_priority', 'a priority is 0 to 15');
  }
  checkVersion(version);
  writeVersion(out, version, atLeast(version.major, version.minor, SENDS_PATCH));
  out.byte((priority << 4) | (membership ? 1 : 0));
  out.byte(name.length);
  out.latin1(name);
}

/** The choice of one to three methods, in 90 bytes. What a method says beyond its name, NULL and IP nothing, follows. */
export function writeAuthenticate(out: Output, methods: readonly string[] = ['NULL']): void {
  if (methods.length === 0 || methods.length > METHODS || !methods.every(isMethodName)) {
    throw new EncodeError('invalid_method', `choose one to ${METHODS} methods`);
  }
  for (let index = 0; index < METHODS; index++) out.padded(methods[index] ?? '', METHOD_NAME_BYTES + 1);
}
