import { stripVTControlCharacters } from 'node:util';

/** A host's words on one line, without what a terminal would obey. */
export function clean(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
}
