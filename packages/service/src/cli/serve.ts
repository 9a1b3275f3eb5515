import type { Lifecycle } from '../lifecycle/lifecycle.ts';
import { runProcess } from '../lifecycle/process.ts';
import { createLogger, flushLog, type Log, type LogFormat, type LogLevel } from '../log/log.ts';
import type { CommonSettings } from '../settings/common.ts';
import type { SettingsDefinition, SettingsShape, TablesShape } from '../settings/define.ts';
import { settingsForLog } from '../settings/dump.ts';
import { type LoadedSettings, loadSettings } from '../settings/load.ts';
import type { SettingsInput } from '../settings/resolve.ts';

/** A server, ready to be started. */
export interface Served {
  readonly lifecycle: Lifecycle;
  /** Where it listens, once it does; the other fields are told beside. */
  readonly announce: () => { readonly host: string; readonly port: number; readonly [more: string]: unknown };
  /** See `runProcess`. */
  readonly reload?: () => void | Promise<void>;
}

export interface ServeOptions<S extends SettingsShape, T extends TablesShape> {
  /** Of the command; in each line of the log. */
  readonly name: string;
  readonly version: string;
  /** With the common settings in it. */
  readonly definition: SettingsDefinition<S, T>;
  readonly input: Pick<SettingsInput, 'flags' | 'environment'>;
  readonly create: (loaded: LoadedSettings<S, T>, log: Log) => Served;
}

/**
 * A server's own command, from its settings to its exit code: loads, logs what was given, starts, says where it listens
 * and runs until it is told to stop.
 * @throws ServiceError see `loadSettings` and `runProcess`
 */
export async function serve<
  S extends SettingsShape & Pick<CommonSettings, 'logLevel' | 'logFormat'>,
  T extends TablesShape,
>({ name, version, definition, input, create }: ServeOptions<S, T>): Promise<number> {
  const loaded = loadSettings(definition, input);
  const { logLevel, logFormat } = loaded.values as { logLevel: LogLevel; logFormat: LogFormat };
  const log = createLogger({ name, level: logLevel, format: logFormat });
  for (const warning of loaded.warnings) log.warn(warning);
  log.info({ version, settings: settingsForLog<S, T>(loaded) }, 'starting');
  const { lifecycle, announce, reload } = create(loaded, log);
  // After the listeners, so that whoever reads this line can connect.
  lifecycle.add({
    name: 'announcement',
    start: () => {
      const details = announce();
      log.info(details, `listening on ${details.host}:${details.port}`);
    },
  });
  try {
    return await runProcess(reload === undefined ? { lifecycle, log } : { lifecycle, log, reload });
  } finally {
    await flushLog(log);
  }
}
