/** Which messages a listener wants. Pure. */
import { type FieldValue, type Filter, keyAndDataOf } from '@rookery/protocol/websocket';

export type Matches = (record: Uint8Array) => boolean;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/**
 * Nobody else is served while a filter looks: 256 KiB of the worst text take a hundred words a quarter of a second. What is
 * larger isn't looked into, and is given: who listens can look for itself, but not for what was kept back.
 */
const LOOKED_INTO_BYTES = 256 * 1024;

/** All that the filter names must hold; of each list, one. `undefined` for a filter that names nothing. */
export function compileFilter(filter: Filter): Matches | undefined {
  const { keys, fields, words } = filter;
  const ofKey = keys === undefined ? undefined : keyTest(keys);
  const ofText: ((text: string) => boolean)[] = [];
  if (words !== undefined) {
    const phrases = words.map((phrase) => phrase.toLowerCase().split(/\s+/).filter(Boolean).map(finder));
    ofText.push((data) => {
      const text = data.toLowerCase();
      return phrases.some((phrase) => phrase.every((isIn) => isIn(text)));
    });
  }
  if (fields !== undefined) {
    const wanted = Object.entries(fields).map(
      ([path, values]) => [path.split('.'), new Set(values)] as const,
    );
    ofText.push((text) => {
      const value = parsed(text);
      return wanted.every(([path, values]) => values.has(at(value, path) as FieldValue));
    });
  }
  if (ofKey === undefined && ofText.length === 0) return undefined;
  return (record) => {
    const { key, data } = keyAndDataOf(record);
    if (ofKey?.(key) === false) return false;
    if (ofText.length === 0 || data.length > LOOKED_INTO_BYTES) return true;
    const text = decoder.decode(data);
    return ofText.every((test) => test(text));
  };
}

function keyTest(keys: readonly string[]): (key: string) => boolean {
  const exact = new Set(keys.filter((key) => !key.endsWith('*')));
  const beginnings = keys.filter((key) => key.endsWith('*')).map((key) => key.slice(0, -1));
  return (key) => exact.has(key) || beginnings.some((beginning) => key.startsWith(beginning));
}

/** A word stands alone: what is beside it is no letter and no digit. */
function finder(word: string): (text: string) => boolean {
  const first = LETTER.test(String.fromCodePoint(word.codePointAt(0)!));
  const last = isLetter(word, word.length - 1);
  return (text) => {
    for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + 1)) {
      const before = first && from > 0 && isLetter(text, from - 1);
      if (!before && !(last && isLetter(text, from + word.length))) return true;
    }
    return false;
  };
}

const LETTER = /[\p{L}\p{N}]/u;

/** Of lower case. Also asked for the place behind the end, where none is. */
function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  // Ten times as quick as the expression.
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
  return at < text.length && LETTER.test(text[at]!);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Own properties only; a number is a place in a list. */
function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}
