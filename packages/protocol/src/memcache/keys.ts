/** Keys: any bytes above the space (0x21 to 0xff), held as latin1 strings so that no byte is lost. */
import { EncodeError } from './errors.ts';

/** Strings already made for keys seen lately. A power of two slots, shared by all decoders: pure memory of a pure function. */
const SLOTS = 256;
const recent: string[] = new Array<string>(SLOTS).fill('');
/** Longer keys are rare, and comparing them costs more than making them. */
const CACHED_KEY_MAX = 48;

/**
 * The bytes from `start` to `end` as a latin1 string.
 *
 * hot: a queue's clients name the same few queues again and again. Comparing with the string made last
 * time takes about 15 ns against 70 ns for a new one, and the kept string has its hash computed already
 * when a Map looks it up.
 */
export function latin1Key(buffer: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > CACHED_KEY_MAX || length === 0) return buffer.toString('latin1', start, end);
  const slot = (length * 31 + buffer[start]! * 7 + buffer[end - 1]! * 13) & (SLOTS - 1);
  const known = recent[slot]!;
  if (known.length === length) {
    let at = 0;
    while (at < length && known.charCodeAt(at) === buffer[start + at]) at++;
    if (at === length) return known;
  }
  const made = buffer.toString('latin1', start, end);
  recent[slot] = made;
  return made;
}

/**
 * Throws `EncodeError` `invalid_key` unless `key` can stand in a text or meta line: 1 to `max` chars, each
 * one byte above the space. Pass UTF-8 as `Buffer.from(key).toString('latin1')`.
 */
export function checkKey(key: string, max: number): void {
  if (key.length === 0 || key.length > max) {
    throw new EncodeError('invalid_key', `a key has 1 to ${max} bytes, this one has ${key.length}`);
  }
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code <= 32 || code > 255) {
      throw new EncodeError(
        'invalid_key',
        `a key holds no spaces, control characters or chars above 0xff (char ${at} is 0x${code.toString(16)}): encode it as bytes in a latin1 string`,
      );
    }
  }
}
