/** A line cut at its spaces. Several spaces in a row and spaces at either end count as one or none: stock clients send them. */
import { latin1Key } from '../keys.ts';

export interface Tokens {
  /** What stood between the spaces, as latin1. */
  readonly words: string[];
  /** No byte below the space was among them. */
  readonly clean: boolean;
  /** There were more than `most` words: the rest was left out. */
  readonly overflow: boolean;
}

const SPACE = 32;

export function tokenize(buffer: Buffer, start: number, end: number, most: number): Tokens {
  const words: string[] = [];
  let clean = true;
  let at = start;
  while (at < end) {
    while (at < end && buffer[at] === SPACE) at++;
    if (at === end) break;
    if (words.length === most) return { words, clean, overflow: true };
    const from = at;
    while (at < end) {
      const byte = buffer[at]!;
      if (byte === SPACE) break;
      if (byte < SPACE) clean = false;
      at++;
    }
    words.push(latin1Key(buffer, from, at));
  }
  return { words, clean, overflow: false };
}
