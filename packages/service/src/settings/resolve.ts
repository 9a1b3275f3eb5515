import type { z } from 'zod';
import { ServiceError } from '../errors.ts';
import {
  attributeOf,
  type Declarations,
  environmentOf,
  flagOf,
  keyOf,
  type Setting,
  type SettingsDefinition,
  type SettingsShape,
  type SettingsValues,
  type TablesShape,
} from './define.ts';
import { isTable, lineOf, parseFile, type SettingsFile, type Table, valueAt } from './file.ts';
import { nearest } from './names.ts';
import { tableProblems } from './problems.ts';

/** Where settings come from. Nothing here is read from the process: the app's cli.ts hands it in. */
export interface SettingsInput {
  /** Commander's options by their attribute names: `command.optsWithGlobals()`. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** `process.env`. An empty variable counts as not set. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile | undefined;
  /** Reads the file that a `…_FILE` variable of a secret names. Without it such variables are an error. */
  readonly readSecret?: (path: string) => string;
}

/** Where a value came from; `name` is what to look for there: `--port`, `ROOKERY_QUEUE_PORT`, `rookery.toml:3`. */
export interface SettingSource {
  readonly kind: 'flag' | 'environment' | 'file' | 'default';
  readonly name: string;
}

/** Settings that have been checked once, and need no check afterwards. */
export interface ResolvedSettings<S extends SettingsShape, T extends TablesShape> {
  readonly definition: SettingsDefinition<S, T>;
  readonly values: SettingsValues<S, T>;
  readonly sources: Readonly<Record<keyof S | keyof T, SettingSource>>;
  /** Things that look like mistakes but do not stop the start: variables with our prefix that set nothing. */
  readonly warnings: readonly string[];
}

interface Given {
  readonly value: unknown;
  readonly source: SettingSource;
}

const DEFAULT: SettingSource = { kind: 'default', name: 'default' };

/** At most so many problems in one message; the error's `problems` has them all. */
const PROBLEMS_SHOWN_MAX = 5;

/**
 * Settings by the order flag, environment, file, default, checked once.
 * @throws ServiceError SETTING_INVALID naming each setting, where its bad value came from and what is allowed;
 * SETTINGS_FILE when the file is not TOML.
 */
export function resolveSettings<S extends SettingsShape, T extends TablesShape>(
  definition: SettingsDefinition<S, T>,
  input: SettingsInput,
): ResolvedSettings<S, T> {
  const { file } = input;
  const table: Table = file === undefined ? {} : parseFile(file);
  const problems: string[] = file === undefined ? [] : unknownKeys(definition, table, file);
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};

  for (const [name, declared] of Object.entries(definition.settings)) {
    try {
      const given = givenFor(definition.prefix, name, declared, input, table);
      values[name] = declared.default;
      sources[name] = given?.source ?? DEFAULT;
      if (given === undefined) continue;
      const result = declared.schema.safeParse(given.value);
      if (result.success) values[name] = result.data;
      else problems.push(valueProblem(definition.prefix, name, declared, given, result.error.issues));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      problems.push(...error.problems);
    }
  }

  for (const [name, declared] of Object.entries(definition.tables)) {
    const key = keyOf(name, declared);
    const value = valueAt(table, key);
    values[name] = declared.default;
    sources[name] = DEFAULT;
    if (file === undefined || value === undefined) continue;
    sources[name] = fileSource(file, key.split('.'));
    const result = declared.schema.safeParse(value);
    if (result.success) values[name] = result.data;
    else problems.push(...tableProblems(declared.schema, key, value, result.error.issues, file));
  }

  const typed = values as SettingsValues<S, T>;
  if (problems.length === 0) problems.push(...(definition.check?.(typed) ?? []));
  if (problems.length > 0) throw invalid(problems);
  return {
    definition,
    values: typed,
    sources: sources as Record<keyof S | keyof T, SettingSource>,
    warnings: unknownVariables(definition, input.environment ?? {}),
  };
}

/** The defaults, with what a program gives on top; one that is undefined is not set, and takes away no default. */
export function settingsOver<S extends SettingsShape, T extends TablesShape>(
  definition: SettingsDefinition<S, T>,
  given: Partial<SettingsValues<S, T>> = {},
): SettingsValues<S, T> {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...resolveSettings(definition, {}).values, ...Object.fromEntries(set) };
}

function givenFor(
  prefix: string,
  name: string,
  declared: Setting<unknown>,
  input: SettingsInput,
  table: Table,
): Given | undefined {
  const attribute = attributeOf(name, declared);
  const flags = input.flags ?? {};
  if (attribute !== undefined && Object.hasOwn(flags, attribute) && flags[attribute] !== undefined) {
    return { value: flags[attribute], source: { kind: 'flag', name: `--${flagOf(name, declared)}` } };
  }

  const environment = input.environment ?? {};
  const variable = environmentOf(prefix, name, declared);
  if (environment[variable]) {
    return { value: environment[variable], source: { kind: 'environment', name: variable } };
  }
  const secretPath = declared.secret === true ? environment[`${variable}_FILE`] : undefined;
  if (secretPath) {
    const source: SettingSource = { kind: 'environment', name: `${variable}_FILE` };
    if (input.readSecret === undefined) {
      throw new ServiceError('SETTING_INVALID', `${source.name} can't be used here: set ${variable} instead`);
    }
    return { value: input.readSecret(secretPath).trim(), source };
  }

  const key = keyOf(name, declared);
  const value = valueAt(table, key);
  if (value === undefined || input.file === undefined) return undefined;
  return { value, source: fileSource(input.file, key.split('.')) };
}

function fileSource(file: SettingsFile, path: readonly string[]): SettingSource {
  const line = lineOf(file.text, path);
  return { kind: 'file', name: line === undefined ? file.path : `${file.path}:${line}` };
}

function valueProblem(
  prefix: string,
  name: string,
  declared: Setting<unknown>,
  given: Given,
  issues: readonly z.core.$ZodIssue[],
): string {
  const { source } = given;
  const shown = declared.secret === true ? 'the value given' : quoted(given.value);
  const place = source.kind === 'file' ? `${source.name}: ${keyOf(name, declared)}` : source.name;
  const allowed = issues.map((issue) => issue.message).join(', ');
  const kubernetes =
    source.kind === 'environment' && /^tcp:\/\//.test(String(given.value))
      ? ` (Kubernetes sets ${source.name} for a Service named ${prefix.toLowerCase().replaceAll('_', '-')}: set enableServiceLinks: false on the pod)`
      : '';
  return `${place}: ${shown} is not allowed, ${allowed}${kubernetes}`;
}

function unknownKeys(definition: Declarations, table: Table, file: SettingsFile): string[] {
  const known = new Set<string>();
  for (const [name, declared] of Object.entries(definition.settings)) known.add(keyOf(name, declared));
  for (const [name, declared] of Object.entries(definition.tables)) known.add(keyOf(name, declared));
  const problems: string[] = [];
  const walk = (level: Table, path: readonly string[]): void => {
    for (const [step, value] of Object.entries(level)) {
      const here = [...path, step];
      const key = here.join('.');
      if (known.has(key)) continue;
      if (isTable(value) && [...known].some((one) => one.startsWith(`${key}.`))) {
        walk(value, here);
        continue;
      }
      const near = nearest(key, known);
      const place = fileSource(file, here).name;
      problems.push(
        `${place}: there is no setting ${key}${near === undefined ? '' : `, did you mean ${near}?`}`,
      );
    }
  };
  walk(table, []);
  return problems;
}

/** A warning only: Kubernetes and shells put variables of their own beside ours. */
function unknownVariables(
  definition: Declarations,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const known = new Set([`${definition.prefix}_CONFIG`]);
  for (const [name, declared] of Object.entries(definition.settings)) {
    const variable = environmentOf(definition.prefix, name, declared);
    known.add(variable);
    if (declared.secret === true) known.add(`${variable}_FILE`);
  }
  const warnings: string[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith(`${definition.prefix}_`) || known.has(variable)) continue;
    const near = nearest(variable, known);
    warnings.push(`${variable} sets nothing${near === undefined ? '' : `, did you mean ${near}?`}`);
  }
  return warnings;
}

function invalid(problems: readonly string[]): ServiceError {
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).join('; ') + (more > 0 ? `; and ${more} more` : '');
  return new ServiceError('SETTING_INVALID', shown, { problems });
}

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
