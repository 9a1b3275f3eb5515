/** The fields of a text frame, checked by hand: a schema library would be most of what a browser has to load. */
import { NUMBER_MAX } from './limits.ts';

/** Inside the decoders only: they give `Bad` instead. */
export class Wrong extends Error {}

/** What `JSON.parse` gave: its own properties only, `__proto__` among them as any other. */
export type Fields = Readonly<Record<string, unknown>>;

/** The object in `text`, or throws `Wrong`. `limit` in characters. */
export function parseFields(text: string, limit: number): Fields {
  if (text.length > limit) throw new Wrong(`a text frame has at most ${limit} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Wrong('a text frame is JSON');
  }
  return asFields(value, 'a text frame');
}

export function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Wrong(`${what} is an object`);
  }
  return value as Fields;
}

/** Throws for fields that are not named: a misspelt one would be passed over in silence. */
export function only(fields: Fields, ...names: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (name !== 'type' && !names.includes(name)) {
      throw new Wrong(`${show(fields.type)} has no field ${show(name)}; its fields are ${names.join(', ')}`);
    }
  }
}

export function has(fields: Fields, name: string): boolean {
  return Object.hasOwn(fields, name);
}

/** Well formed: what has half a surrogate pair would change on its way through UTF-8. */
export function text(fields: Fields, name: string, most: number = NUMBER_MAX): string {
  const value = fields[name];
  if (typeof value !== 'string' || value.length > most || !value.isWellFormed()) {
    throw new Wrong(`"${name}" is a text of at most ${most} characters`);
  }
  return value;
}

export function integer(fields: Fields, name: string, low: number, high: number = NUMBER_MAX): number {
  const value = fields[name];
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
    throw new Wrong(`"${name}" is an integer from ${low} to ${high}`);
  }
  // Not -0, which JSON can say.
  return (value as number) || 0;
}

export function flag(fields: Fields, name: string, missing: boolean): boolean {
  if (!has(fields, name)) return missing;
  const value = fields[name];
  if (typeof value !== 'boolean') throw new Wrong(`"${name}" is true or false`);
  return value;
}

export function oneOf<T extends string>(fields: Fields, name: string, values: readonly T[], missing?: T): T {
  if (missing !== undefined && !has(fields, name)) return missing;
  const value = fields[name] as T;
  if (!values.includes(value)) throw new Wrong(`"${name}" is one of ${values.join(', ')}`);
  return value;
}

export function list(fields: Fields, name: string, most: number): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value) || value.length > most) {
    throw new Wrong(`"${name}" is a list of at most ${most}`);
  }
  return value;
}

/** A text that `check` takes. */
export function named(value: unknown, what: string, check: (name: string) => boolean): string {
  if (typeof value !== 'string' || !check(value)) throw new Wrong(`${show(value)} is no ${what}`);
  return value;
}

/** Short enough for a log, whatever it is. */
function show(value: unknown): string {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(typeof value);
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
