/** Which messages a listener wants. Pure. */
import { type FieldValue, type Filter, keyAndDataOf } from '@rookery/protocol/websocket';

export type Matches = (record: Uint8Array) => boolean;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** All that the filter names must hold; of each list, one. `undefined` for a filter that names nothing. */
export function compileFilter(filter: Filter): Matches | undefined {
  const tests: ((key: string, data: () => string, json: () => unknown) => boolean)[] = [];
  const { keys, fields, words } = filter;
  if (keys !== undefined) {
    const exact = new Set(keys.filter((key) => !key.endsWith('*')));
    const beginnings = keys.filter((key) => key.endsWith('*')).map((key) => key.slice(0, -1));
    tests.push((key) => exact.has(key) || beginnings.some((beginning) => key.startsWith(beginning)));
  }
  if (words !== undefined) {
    const phrases = words.map((phrase) => phrase.toLowerCase().split(/\s+/).filter(Boolean).map(finder));
    tests.push((_, data) => {
      const text = data().toLowerCase();
      return phrases.some((phrase) => phrase.every((isIn) => isIn(text)));
    });
  }
  if (fields !== undefined) {
    const wanted = Object.entries(fields).map(
      ([path, values]) => [path.split('.'), new Set(values)] as const,
    );
    tests.push((_, __, json) => {
      const value = json();
      return wanted.every(([path, values]) => values.has(at(value, path) as FieldValue));
    });
  }
  if (tests.length === 0) return undefined;
  return (record) => {
    const { key, data } = keyAndDataOf(record);
    let text: string | undefined;
    const read = (): string => {
      text ??= decoder.decode(data);
      return text;
    };
    return tests.every((test) => test(key, read, () => parsed(read())));
  };
}

/** A word stands alone: what is beside it is no letter and no digit. */
function finder(word: string): (text: string) => boolean {
  const letter = /[\p{L}\p{N}]/u;
  const first = letter.test(String.fromCodePoint(word.codePointAt(0)!));
  const last = letter.test(word.at(-1)!);
  return (text) => {
    for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + 1)) {
      const before = from > 0 && first && letter.test(text[from - 1]!);
      const after = from + word.length < text.length && last && letter.test(text[from + word.length]!);
      if (!before && !after) return true;
    }
    return false;
  };
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
