import { boolean, byteSize, choice, durationMs, integer, snakeCase, text } from '@rookery/service';
import type { z } from 'zod';
import { displayName, wireName } from '../names.ts';
import type { QueueSettings } from '../queue/settings.ts';
import { BrokerError } from './errors.ts';
import { optionAtEnd } from './targets.ts';

/** A queue that messages are put to. */
export const writtenName: z.ZodType<string> = text({ max: 250 })
  .refine((name) => optionAtEnd(name) === undefined, {
    error: 'expected a name that does not end in an option of get, such as /open: nobody could read it',
  })
  .transform(wireName);

/** What each setting of a queue may be, in a file or as somebody typed it. */
export const queueFields = {
  maxItems: integer(),
  maxBytes: byteSize(),
  maxItemBytes: byteSize(),
  maxAgeMs: durationMs(),
  maxMemoryBytes: byteSize(),
  discardOldest: boolean(),
  expireToQueue: writtenName,
  deleteWhenIdleMs: durationMs(),
  openReadTimeoutMs: durationMs(),
  fanoutOnly: boolean(),
  maxExpireSweep: integer({ min: 1 }),
  persistent: boolean(),
  // Counted in a byte.
  maxDeliveries: integer({ max: 250 }),
  deadLetterQueue: writtenName,
  deduplicationWindowMs: durationMs(),
  // Some 200 MB of memory.
  deduplicationWindowItems: integer({ min: 1, max: 1_000_000 }),
  paused: boolean(),
  // A rate of nothing is a pause, and there is a setting for that.
  maxPutsPerSecond: integer({ min: 1 }),
  maxPutBytesPerSecond: byteSize({ min: 1 }),
  maxGetsPerSecond: integer({ min: 1 }),
  maxConnections: integer({ min: 1 }),
  sync: choice(['server', 'always']),
} as const;

type Name = keyof typeof queueFields;

const namesBySnake: ReadonlyMap<string, Name> = new Map(
  Object.keys(queueFields).map((name) => [snakeCase(name), name as Name]),
);

/** Settings to change, by the names of the settings file; null takes one back to what the file says. */
export type SettingChanges = Readonly<Record<string, unknown>>;

/** What was changed at run time, with these changes on top. @throws BrokerError `bad-setting` */
export function changedSettings(
  before: Partial<QueueSettings>,
  changes: SettingChanges,
): Partial<QueueSettings> {
  const after: Record<string, unknown> = { ...before };
  for (const [shown, value] of Object.entries(changes)) {
    const name = namesBySnake.get(shown);
    if (name === undefined)
      throw new BrokerError('bad-setting', `${printable(shown)}: there is no such setting`);
    if (name === 'persistent') {
      throw new BrokerError('bad-setting', 'persistent: fixed when the queue is created');
    }
    if (value === null) {
      delete after[name];
      continue;
    }
    const parsed = (queueFields[name] as z.ZodType<unknown>).safeParse(value);
    if (!parsed.success) {
      throw new BrokerError(
        'bad-setting',
        `${shown}: ${parsed.error.issues[0]?.message ?? 'not understood'}`,
      );
    }
    after[name] = parsed.data;
  }
  return after as Partial<QueueSettings>;
}

/** JSON's object of changes. @throws BrokerError `bad-setting` */
export function parseChanges(json: string): SettingChanges {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // Told below.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BrokerError('bad-setting', 'settings: expected a JSON object');
  }
  return value as SettingChanges;
}

/** In the names and units of the settings file; null for no limit. */
export function shownSettings(settings: QueueSettings): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const none = value === Number.POSITIVE_INFINITY || value === undefined;
      const isName = name === 'expireToQueue' || name === 'deadLetterQueue';
      return [snakeCase(name), none ? null : isName ? displayName(value as string) : value];
    }),
  );
}

/** For one line of a reply. */
function printable(word: string): string {
  return word.replace(/[^\x21-\x7e]/g, '?').slice(0, 64);
}

/** What is kept with a queue. */
export interface QueueAttributes {
  readonly createdAt?: number;
  /** Changed at run time, in the units of the settings. */
  readonly settings?: Partial<QueueSettings>;
}

export function parseAttributes(json: string): QueueAttributes {
  return JSON.parse(json || '{}') as QueueAttributes;
}
