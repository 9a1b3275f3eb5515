import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A token is 256 random bits, so one SHA-256 is enough to keep it: there is nothing to guess, and a slow hash as for
 * passwords would only give strangers a way to use up the processor.
 */
const tokenBytes = 32;
const tokenPattern = /^rq_[A-Za-z0-9_-]{43}$/;
const hashPattern = /^sha256:([0-9a-f]{64})$/;

/** `rq_` and 43 characters of base64url. */
export function makeToken(): string {
  return `rq_${randomBytes(tokenBytes).toString('base64url')}`;
}

/** Whether it is one that `makeToken` may have made; a password of somebody's own is not let in. */
export function isToken(text: string): boolean {
  return tokenPattern.test(text);
}

export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token, 'latin1').digest();
}

export function formatHash(hash: Buffer): string {
  return `sha256:${hash.toString('hex')}`;
}

/** Undefined if it is none. */
export function parseHash(text: string): Buffer | undefined {
  const hex = hashPattern.exec(text)?.[1];
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}

/** In a time that tells nothing of where they differ. */
export function sameHash(one: Buffer, other: Buffer): boolean {
  return timingSafeEqual(one, other);
}
