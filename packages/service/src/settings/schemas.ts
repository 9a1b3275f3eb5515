import { z } from 'zod';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.ts';

// A setting comes as text (flag, environment) or as a TOML value (file). These schemas take both, so that
// a setting is declared once. Any other zod schema that takes a string (z.string(), z.enum()) works as well.

/** Bounds of a number, both inclusive. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number, by default from 0. */
export function integer(range: Range = {}): z.ZodType<number> {
  return numeric('a whole number', range, String, (text) =>
    /^[+-]?[0-9]+$/.test(text.trim()) ? Number(text) : undefined,
  );
}

/** A TCP or UDP port; 0 asks the system for a free one. */
export function port(): z.ZodType<number> {
  return integer({ min: 0, max: 65_535 });
}

export interface Address {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, an IPv6 address in brackets: `127.0.0.1:4803`, `[::1]:4803`, `localhost:0`. */
export function address(): z.ZodType<Address> {
  const expected = 'expected HOST:PORT, such as 127.0.0.1:4803 or [::1]:4803';
  return z.string({ error: expected }).transform((value, context): Address => {
    const found = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]{1,255})):(\d{1,5})$/.exec(value.trim());
    const port = Number(found?.[3]);
    if (found !== null && port <= 65_535) return { host: (found[1] ?? found[2])!, port };
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

/** As `address()` reads it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A duration in milliseconds, written as `500`, `500ms`, `2s`, `1h` (see `parseDuration`). */
export function durationMs(range: Range = {}): z.ZodType<number> {
  return numeric('a duration such as 500ms, 2s or 1h', range, formatDuration, parseDuration);
}

/** When what was written is on the device: `always`, `never`, or milliseconds that it may take, from 1 to an hour. */
export function syncMode(): z.ZodType<'always' | 'never' | { readonly everyMs: number }> {
  return z
    .union([z.string(), z.number()], { error: 'expected always, never, or milliseconds' })
    .transform((value, context) => {
      if (value === 'always' || value === 'never') return value;
      const everyMs = typeof value === 'number' ? value : parseDuration(value);
      if (everyMs !== undefined && everyMs >= 1 && everyMs <= 3_600_000) return { everyMs };
      context.addIssue({ code: 'custom', message: 'expected always, never, or a time from 1ms to 1h' });
      return z.NEVER;
    });
}

/** A size in bytes, written as `65536`, `64k`, `16MiB` (see `parseBytes`). */
export function byteSize(range: Range = {}): z.ZodType<number> {
  return numeric('a size such as 64KiB or 16MiB', range, formatBytes, parseBytes);
}

/** Any number, also with a fraction: a share, a rate. */
export function decimal(range: Range = {}): z.ZodType<number> {
  return numeric(
    'a number',
    range,
    String,
    (text) => (/^[+-]?[0-9]+(\.[0-9]+)?$/.test(text.trim()) ? Number(text) : undefined),
    false,
  );
}

/** True or false; as text `true`, `yes`, `on`, `1` and their opposites. */
export function boolean(): z.ZodType<boolean> {
  const expected = 'expected true or false';
  return z.union([z.boolean(), z.string()], { error: expected }).transform((value, context) => {
    if (typeof value === 'boolean') return value;
    const text = value.trim().toLowerCase();
    if (['true', 'yes', 'on', '1'].includes(text)) return true;
    if (['false', 'no', 'off', '0'].includes(text)) return false;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

/** Text of 1 to `max` characters (default 4096, so that a mistaken file can't become a setting). */
export function text(options: { max?: number } = {}): z.ZodType<string> {
  const max = options.max ?? 4096;
  const expected = `expected text of 1 to ${max} characters`;
  return z.string({ error: expected }).min(1, { error: expected }).max(max, { error: expected });
}

/** One of the given words. */
export function choice<const W extends readonly [string, ...string[]]>(words: W): z.ZodType<W[number]> {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` }) as unknown as z.ZodType<W[number]>;
}

/** Several values: an array in the file, separated by commas in a flag or in the environment. */
export function list<T>(item: z.ZodType<T>): z.ZodType<T[]> {
  const expected = 'expected a list (an array in the file, commas between values elsewhere)';
  return z
    .union([z.string(), z.array(z.unknown())], { error: expected })
    .transform((value) => (typeof value === 'string' ? splitList(value) : value))
    .pipe(z.array(item));
}

function splitList(value: string): unknown[] {
  return value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function numeric(
  what: string,
  range: Range,
  format: (value: number) => string,
  parse: (text: string) => number | undefined,
  whole = true,
): z.ZodType<number> {
  const min = range.min ?? (whole ? 0 : Number.NEGATIVE_INFINITY);
  const max = range.max ?? (whole ? Number.MAX_SAFE_INTEGER : Number.POSITIVE_INFINITY);
  const bounds =
    (min === 0 && range.min === undefined) || min === Number.NEGATIVE_INFINITY ? '' : ` from ${format(min)}`;
  const upper = range.max === undefined ? '' : ` ${bounds === '' ? 'up' : ''} to ${format(max)}`;
  const expected = `expected ${what}${bounds}${upper.replace('  ', ' ')}`;
  return z.union([z.number(), z.string()], { error: expected }).transform((value, context) => {
    const number = typeof value === 'number' ? value : parse(value);
    const fits =
      number !== undefined && number >= min && number <= max && (!whole || Number.isSafeInteger(number));
    if (!fits) {
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    }
    return number;
  });
}
