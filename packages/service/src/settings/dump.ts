import { stringify } from 'smol-toml';
import {
  environmentOf,
  flagOf,
  keyOf,
  type Setting,
  type SettingsDefinition,
  type SettingsShape,
  type TablesShape,
} from './define.ts';
import type { ResolvedSettings, SettingSource } from './resolve.ts';
import { type Address, formatAddress } from './schemas.ts';
import { formatBytes, formatDuration } from './units.ts';

/** One line of a dump: safe to log and to show, secrets are `***`. */
export interface SettingDump {
  /** As in code: `timeoutMs`. */
  readonly name: string;
  /** As in the file: `timeout_ms`. */
  readonly key: string;
  readonly value: unknown;
  /** The value as people write it: `2s`, `16MiB`. */
  readonly shown: string;
  readonly source: SettingSource;
}

/** All that the docs need to say of one setting. */
export interface SettingDescription {
  readonly name: string;
  readonly key: string;
  readonly flag: string | undefined;
  readonly environment: string;
  readonly default: string;
  readonly unit: string | undefined;
  readonly description: string;
  readonly reason: string;
  readonly needsRestart: boolean;
}

const HIDDEN = '***';
const SECRET_KEY = /token|secret|password/i;

/** Every setting and table with its value and where it came from, secrets hidden, in the order of declaration. */
export function dumpSettings<S extends SettingsShape, T extends TablesShape>(
  resolved: ResolvedSettings<S, T>,
): SettingDump[] {
  const { definition, sources } = resolved;
  const values: Readonly<Record<string, unknown>> = resolved.values;
  const dumps: SettingDump[] = [];
  for (const [name, declared] of Object.entries(definition.settings)) {
    const value = redacted(declared, values[name]);
    const shown = showSetting(declared, value);
    dumps.push({ name, key: keyOf(name, declared), value, shown, source: sources[name]! });
  }
  for (const [name, declared] of Object.entries(definition.tables)) {
    const value = hideSecrets(values[name]);
    dumps.push({ name, key: keyOf(name, declared), value, shown: show(value), source: sources[name]! });
  }
  return dumps;
}

/** The settings that somebody gave, as one plain object for the log's first line: `{ port: '22133 (--port)' }`. */
export function settingsForLog<S extends SettingsShape, T extends TablesShape>(
  resolved: ResolvedSettings<S, T>,
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const one of dumpSettings(resolved)) {
    if (one.source.kind !== 'default') given[one.key] = `${one.shown} (${one.source.name})`;
  }
  return given;
}

/** What there is to set, for docs and `--help`. */
export function describeSettings<S extends SettingsShape, T extends TablesShape>(
  definition: SettingsDefinition<S, T>,
): SettingDescription[] {
  return Object.entries(definition.settings).map(([name, declared]) => {
    const flag = flagOf(name, declared);
    return {
      name,
      key: keyOf(name, declared),
      flag: flag === undefined ? undefined : `--${flag}`,
      environment: environmentOf(definition.prefix, name, declared),
      default: showSetting(declared, redacted(declared, declared.default)),
      unit: declared.unit,
      description: declared.description,
      reason: declared.reason,
      needsRestart: declared.reload !== 'live',
    };
  });
}

/** A settings file with every setting commented out at its default: what `print-config` prints. */
export function exampleFile<S extends SettingsShape, T extends TablesShape>(
  definition: SettingsDefinition<S, T>,
): string {
  const lines: string[] = [];
  for (const [name, declared] of Object.entries(definition.settings)) {
    lines.push(`# ${declared.description}. ${declared.reason}`, `# ${tomlLine(name, declared)}`, '');
  }
  for (const [name, declared] of Object.entries(definition.tables)) {
    lines.push(`# ${declared.description}.`, `# [${keyOf(name, declared)}]`, '');
  }
  return lines.join('\n');
}

/** A value as people write it, by its unit. */
export function showSetting(declared: Setting<unknown>, value: unknown): string {
  if (value === HIDDEN) return HIDDEN;
  if (typeof value === 'number' && declared.unit === 'ms') return formatDuration(value);
  if (typeof value === 'number' && declared.unit === 'bytes') return formatBytes(value);
  return show(value);
}

export function redacted(declared: Setting<unknown>, value: unknown): unknown {
  if (declared.secret === true && value !== undefined && value !== '') return HIDDEN;
  return value;
}

export function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets);
  if (value instanceof Map) return hideSecrets(Object.fromEntries(value));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    SECRET_KEY.test(key) && typeof inner === 'string' ? HIDDEN : hideSecrets(inner),
  ]);
  return Object.fromEntries(entries);
}

function show(value: unknown): string {
  if (value === undefined) return 'not set';
  const text = written(value);
  return typeof text === 'string' ? text : JSON.stringify(text);
}

/** Addresses as they are read: nobody writes them as tables. */
function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== 'object' || value === null) return value;
  const { host, port, ...others } = value as Partial<Address>;
  const isAddress = typeof host === 'string' && typeof port === 'number' && Object.keys(others).length === 0;
  return isAddress ? formatAddress({ host, port }) : value;
}

function tomlLine(name: string, declared: Setting<unknown>): string {
  const key = keyOf(name, declared);
  const value = redacted(declared, declared.default);
  if (value === undefined || value === HIDDEN) return `${key} =`;
  const shown =
    typeof value === 'number' && declared.unit !== undefined ? showSetting(declared, value) : written(value);
  return `${key} = ${stringify({ v: shown }).trim().replace(/^v = /, '')}`;
}
