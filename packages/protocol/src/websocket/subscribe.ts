/** What a client asks of a kept group: where to begin, and which messages it wants. */
import type { Strand } from '../bus/durable.ts';
import { asFields, type Fields, has, integer, list, only, text, Wrong } from './fields.ts';
import { NUMBER_MAX } from './limits.ts';

/** Where a subscription begins. */
export type From =
  /** `start`: the oldest that is kept; `now`: what comes from now on. */
  | 'start'
  | 'now'
  /** The message with this sequence in the daemon's own log, and all behind it. */
  | { readonly sequence: number }
  /** The first message that was kept at that time or later, and all behind it; ms since 1970. */
  | { readonly timeMs: number }
  /** So many before what comes from now on. */
  | { readonly last: number }
  /** Behind what a reader was given, here or at another daemon. */
  | { readonly cursor: string };

export type FieldValue = string | number | boolean | null;

/** All that is named must hold; of each list, one. */
export interface Filter {
  /** Keys, or beginnings of keys with `*` behind. */
  readonly keys?: readonly string[];
  /** Of data that is JSON: path, with points between, to the values that are wanted. */
  readonly fields?: Readonly<Record<string, readonly FieldValue[]>>;
  /** Words in the data, whatever their case. Of several in one text all must be there, in any order. */
  readonly words?: readonly string[];
}

/** A filter runs on each message. */
const FILTER_ITEMS = 100;
const FILTER_TEXT = 255;
/** Of 4,096 strands. */
const CURSOR_CHARACTERS = 262_144;
const CURSOR_VERSION = '1';

export function fromOf(fields: Fields): From {
  const value = fields.from;
  if (value === undefined) return 'now';
  if (value === 'start' || value === 'now') return value;
  const from = asFields(value, '"from" is start, now, or');
  only(from, 'sequence', 'time_ms', 'last', 'cursor');
  if (Object.keys(from).length !== 1) throw new Wrong('"from" says one thing');
  if (has(from, 'sequence')) return { sequence: integer(from, 'sequence', 0) };
  if (has(from, 'time_ms')) return { timeMs: integer(from, 'time_ms', 0) };
  if (has(from, 'last')) return { last: integer(from, 'last', 0) };
  return { cursor: text(from, 'cursor', CURSOR_CHARACTERS) };
}

export function fromToFields(from: From): unknown {
  return typeof from === 'object' && 'timeMs' in from ? { time_ms: from.timeMs } : from;
}

export function filterOf(fields: Fields): Filter {
  if (!has(fields, 'filter')) return {};
  const filter = asFields(fields.filter, '"filter"');
  only(filter, 'keys', 'fields', 'words');
  return {
    ...(has(filter, 'keys') ? { keys: texts(filter, 'keys') } : {}),
    ...(has(filter, 'words') ? { words: wordsOf(filter) } : {}),
    ...(has(filter, 'fields') ? { fields: fieldsOf(asFields(filter.fields, '"fields"')) } : {}),
  };
}

function texts(fields: Fields, name: string): string[] {
  const items = list(fields, name, FILTER_ITEMS).map((item) => text({ item }, 'item', FILTER_TEXT));
  if (items.some((item) => item.trim() === '')) throw new Wrong(`"${name}" has no empty text`);
  return items;
}

function wordsOf(fields: Fields): string[] {
  const words = texts(fields, 'words');
  const count = words.reduce((sum, some) => sum + some.trim().split(/\s+/).length, 0);
  if (count > FILTER_ITEMS) throw new Wrong(`"words" has at most ${FILTER_ITEMS} words in all`);
  return words;
}

function fieldsOf(fields: Fields): Record<string, FieldValue[]> {
  const entries = Object.entries(fields);
  if (entries.length > FILTER_ITEMS) throw new Wrong(`"fields" has at most ${FILTER_ITEMS}`);
  return Object.fromEntries(
    entries.map(([path, values]) => {
      if (path.length > FILTER_TEXT) throw new Wrong(`a path has at most ${FILTER_TEXT} characters`);
      return [path, list({ values }, 'values', FILTER_ITEMS).map(fieldValue)];
    }),
  );
}

function fieldValue(value: unknown): FieldValue {
  if (typeof value === 'string' && value.length <= FILTER_TEXT) return value;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  throw new Wrong('the value of a field is a short text, a number, true, false or null');
}

/** What a reader was given: of each strand all up to its order, and of rings up to `floor` all. */
export interface Given {
  readonly floor: number;
  readonly strands: Iterable<Strand>;
}

/** Text of A to Z, a to z, 0 to 9, `_` and `.`. */
export function encodeCursor({ floor, strands }: Given): string {
  const parts = [CURSOR_VERSION, floor.toString(36)];
  for (const { ringSequence, representative, sender, order } of strands) {
    parts.push([ringSequence, representative, sender, order].map((number) => number.toString(36)).join('.'));
  }
  return parts.join('_');
}

/** `undefined` for what is none. */
export function decodeCursor(cursor: string): (Given & { readonly strands: Strand[] }) | undefined {
  const [version, floorText = '', ...parts] = cursor.split('_');
  const floor = decodeNumber(floorText);
  if (version !== CURSOR_VERSION || floor === undefined || cursor.length > CURSOR_CHARACTERS)
    return undefined;
  const strands: Strand[] = [];
  for (const part of parts) {
    const numbers = part.split('.').map(decodeNumber);
    if (numbers.length !== 4 || numbers.includes(undefined)) return undefined;
    const [ringSequence, representative, sender, order] = numbers as [number, number, number, number];
    strands.push({ ringSequence, representative, sender, order });
  }
  return { floor, strands };
}

function decodeNumber(digits: string): number | undefined {
  if (!/^[0-9a-z]{1,11}$/.test(digits)) return undefined;
  const number = Number.parseInt(digits, 36);
  return number <= NUMBER_MAX ? number : undefined;
}
