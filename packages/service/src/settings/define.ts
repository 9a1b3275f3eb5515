import { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { camelCase, kebabCase, snakeCase } from './names.ts';

/** One setting: from this come its flag, its environment variable, its key in the file and its line in the docs. */
export interface Setting<T> {
  /** Takes text and TOML values; see `integer`, `durationMs`, `byteSize`, `boolean`, `text`, `choice`, `list`. */
  readonly schema: z.ZodType<T>;
  /** The value when nobody gives one; not checked by the schema, so it may be a value that nobody could write. */
  readonly default: NoInfer<T>;
  /** What it does, in one sentence without a full stop. */
  readonly description: string;
  /** Why the default is what it is. */
  readonly reason: string;
  /** `ms` and `bytes` are shown in the units people write; any other unit is shown as it is. */
  readonly unit?: string;
  /** The flag without dashes (default: the name in kebab-case); false: no flag. */
  readonly flag?: string | false;
  /** One letter, for `-p`. */
  readonly short?: string;
  /** The key in the file (default: the name in snake_case); dots reach into tables: `admin.port`. */
  readonly key?: string;
  /** The environment variable's end after the prefix (default: the name in UPPER_CASE). */
  readonly environment?: string;
  /**
   * Never shown. A secret has no flag (command lines are visible to all users), and its environment variable
   * with `_FILE` added names a file that holds it.
   */
  readonly secret?: boolean;
  /** `live`: a reload applies it at once. `restart` (default): a reload reports it, a restart applies it. */
  readonly reload?: 'live' | 'restart';
}

/** A table of the file that has no flag and no environment variable, such as `[queues.NAME]`. */
export interface SettingsTable<T> {
  /** Checks the whole table and gives what the app wants of it; `tableOf` and `z.record` help. */
  readonly schema: z.ZodType<T>;
  readonly default: NoInfer<T>;
  readonly description: string;
  /** The key in the file (default: the name in snake_case). */
  readonly key?: string;
  readonly reload?: 'live' | 'restart';
}

export type SettingsShape = Readonly<Record<string, Setting<unknown>>>;
export type TablesShape = Readonly<Record<string, SettingsTable<unknown>>>;

type Output<D> = D extends { readonly schema: z.ZodType<infer T> } ? T : never;

/** The checked values by name: settings and tables side by side. */
export type SettingsValues<S extends SettingsShape, T extends TablesShape> = {
  readonly [K in keyof S]: Output<S[K]>;
} & { readonly [K in keyof T]: Output<T[K]> };

/** The declarations of an app whatever their types: what internal code needs that only walks over them. */
export interface Declarations {
  readonly prefix: string;
  readonly settings: SettingsShape;
  readonly tables: TablesShape;
}

/** All that can be set of one app. */
export interface SettingsDefinition<S extends SettingsShape, T extends TablesShape> extends Declarations {
  /** Start of every environment variable: `ROOKERY_QUEUE` gives `ROOKERY_QUEUE_PORT`. */
  readonly prefix: string;
  readonly settings: S;
  readonly tables: T;
  /** What is wrong between settings that are each fine, in sentences; asked last. */
  check?(values: SettingsValues<S, T>): readonly string[];
}

/** The values' type of a definition: `type Settings = ValuesOf<typeof settings>`. */
export type ValuesOf<D> = D extends SettingsDefinition<infer S, infer T> ? SettingsValues<S, T> : never;

/** Declares one setting; the type of its value comes from its schema. */
export function setting<T>(declaration: Setting<T>): Setting<T> {
  return declaration;
}

/** Declares one table of the file; the type of its value comes from its schema. */
export function settingsTable<T>(declaration: SettingsTable<T>): SettingsTable<T> {
  return declaration;
}

/**
 * Declares all settings of an app.
 * @throws ServiceError DECLARATION_INVALID when two settings would share a flag, a variable or a key.
 */
export function defineSettings<
  S extends SettingsShape,
  T extends TablesShape = Record<never, never>,
>(definition: {
  readonly prefix: string;
  readonly settings: S;
  readonly tables?: T;
  readonly check?: (values: SettingsValues<S, T>) => readonly string[];
}): SettingsDefinition<S, T> {
  const seen = new Map<string, string>([
    ['--config', 'the settings file'],
    [`${definition.prefix}_CONFIG`, 'the settings file'],
  ]);
  const claim = (place: string, name: string): void => {
    const holder = seen.get(place);
    if (holder !== undefined) {
      throw new ServiceError(
        'DECLARATION_INVALID',
        `${place} would set both ${holder} and ${name}: rename one`,
      );
    }
    seen.set(place, name);
  };
  for (const [name, declared] of Object.entries(definition.settings)) {
    const flag = flagOf(name, declared);
    if (flag !== undefined) claim(`--${flag}`, name);
    claim(environmentOf(definition.prefix, name, declared), name);
    claim(`key ${keyOf(name, declared)}`, name);
  }
  for (const [name, declared] of Object.entries(definition.tables ?? {})) {
    if (Object.hasOwn(definition.settings, name)) claim(`name ${name}`, name);
    claim(`key ${keyOf(name, declared)}`, name);
  }
  return { ...definition, tables: definition.tables ?? ({} as T) };
}

/** The flag without dashes, or undefined when there is none. */
export function flagOf(name: string, declared: Setting<unknown>): string | undefined {
  if (declared.flag === false || declared.secret === true) return undefined;
  return declared.flag ?? kebabCase(name);
}

/** The name under which commander keeps the flag. */
export function attributeOf(name: string, declared: Setting<unknown>): string | undefined {
  const flag = flagOf(name, declared);
  return flag === undefined ? undefined : camelCase(flag);
}

export function environmentOf(prefix: string, name: string, declared: Setting<unknown>): string {
  return `${prefix}_${declared.environment ?? snakeCase(name).toUpperCase()}`;
}

export function keyOf(name: string, declared: { readonly key?: string }): string {
  return declared.key ?? snakeCase(name);
}

type Fields = Readonly<Record<string, z.ZodType<unknown>>>;

/** What `tableOf` gives: every field is optional. */
export type TableValues<F extends Fields> = { readonly [K in keyof F]?: z.output<F[K]> };

/**
 * A schema for a table of the file whose keys are snake_case there and camelCase in code. Every field may be left
 * out; a key that is not declared is an error that names the nearest one.
 *
 *     tableOf({ maxBytes: byteSize() })   // [queues.mail] max_bytes = "1GiB"  ->  { maxBytes: 1073741824 }
 */
export function tableOf<F extends Fields>(fields: F): z.ZodType<TableValues<F>> {
  const shape: Record<string, z.ZodType<unknown>> = {};
  for (const [name, schema] of Object.entries(fields)) shape[snakeCase(name)] = schema.optional();
  return z.strictObject(shape).transform((value) => {
    const named: Record<string, unknown> = {};
    for (const name of Object.keys(fields)) {
      const given = value[snakeCase(name)];
      if (given !== undefined) named[name] = given;
    }
    return named as TableValues<F>;
  });
}
