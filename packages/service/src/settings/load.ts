import { readFileSync, statSync } from 'node:fs';
import { errorMessage, ServiceError } from '../errors.ts';
import { keyOf, type SettingsDefinition, type SettingsShape, type TablesShape } from './define.ts';
import { hideSecrets, redacted } from './dump.ts';
import type { SettingsFile } from './file.ts';
import { type ResolvedSettings, resolveSettings, type SettingsInput } from './resolve.ts';

/** A settings file is written by hand; 1 MiB leaves room for thousands of queues and keeps out a mistaken path. */
const FILE_BYTES_MAX = 1024 * 1024;

/** A setting that a reload found changed; secrets are hidden. */
export interface SettingChange {
  readonly name: string;
  readonly key: string;
  readonly from: unknown;
  readonly to: unknown;
  /** True when the running server goes on with the old value until it is restarted. */
  readonly needsRestart: boolean;
}

/** Settings and the file they came from, which can be read again. */
export interface LoadedSettings<S extends SettingsShape, T extends TablesShape>
  extends ResolvedSettings<S, T> {
  /** The file's path, when there is one. */
  readonly path: string | undefined;
  /**
   * Reads the file again, with the same flags and environment.
   * @throws ServiceError like `loadSettings`; the running settings stay as they are.
   */
  reload(): ReloadedSettings<S, T>;
}

export interface ReloadedSettings<S extends SettingsShape, T extends TablesShape> {
  /** The new settings; `reload` them the next time. */
  readonly settings: LoadedSettings<S, T>;
  readonly changes: readonly SettingChange[];
}

/**
 * Settings of a process: the file that `--config FILE` or `PREFIX_CONFIG` names is read, then all is resolved.
 * @throws ServiceError SETTINGS_FILE when the file can't be read; see `resolveSettings` for the rest.
 */
export function loadSettings<S extends SettingsShape, T extends TablesShape>(
  definition: SettingsDefinition<S, T>,
  input: Pick<SettingsInput, 'flags' | 'environment'>,
): LoadedSettings<S, T> {
  const named = input.flags?.config ?? input.environment?.[`${definition.prefix}_CONFIG`];
  const path = typeof named === 'string' && named !== '' ? named : undefined;
  const file: SettingsFile | undefined = path === undefined ? undefined : { path, text: readText(path) };
  const resolved = resolveSettings(definition, { ...input, file, readSecret: readText });
  return {
    ...resolved,
    path,
    reload() {
      const settings = loadSettings(definition, input);
      return { settings, changes: changesBetween<S, T>(resolved, settings) };
    },
  };
}

/** What differs between two resolutions of one definition, in the order of declaration. */
export function changesBetween<S extends SettingsShape, T extends TablesShape>(
  before: ResolvedSettings<S, T>,
  after: ResolvedSettings<S, T>,
): SettingChange[] {
  const { settings, tables } = after.definition;
  const old: Readonly<Record<string, unknown>> = before.values;
  const now: Readonly<Record<string, unknown>> = after.values;
  const changes: SettingChange[] = [];
  for (const [name, declared] of [...Object.entries(settings), ...Object.entries(tables)]) {
    if (same(old[name], now[name])) continue;
    const setting = settings[name];
    const shown = (value: unknown): unknown => (setting ? redacted(setting, value) : hideSecrets(value));
    changes.push({
      name,
      key: keyOf(name, declared),
      from: shown(old[name]),
      to: shown(now[name]),
      needsRestart: declared.reload !== 'live',
    });
  }
  return changes;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

function plain(value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX) {
      throw new ServiceError(
        'SETTINGS_FILE',
        `${path} has ${size} bytes, more than the ${FILE_BYTES_MAX} of a settings file: is it the right one?`,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'this user may not read it'
          : errorMessage(error);
    throw new ServiceError('SETTINGS_FILE', `${path} can't be read: ${why}`, { cause: error });
  }
}
