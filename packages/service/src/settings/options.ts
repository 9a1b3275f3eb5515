import type { Command, Option } from 'commander';
import {
  attributeOf,
  environmentOf,
  flagOf,
  type SettingsDefinition,
  type SettingsShape,
  type TablesShape,
} from './define.ts';
import { redacted, showSetting } from './dump.ts';

/**
 * Puts `--config FILE` and every setting's flag on a command. Hand `command.optsWithGlobals()` to `loadSettings`:
 * defaults are only told in the help, so that what commander returns is what the user gave.
 */
export function addSettingsOptions<S extends SettingsShape, T extends TablesShape>(
  command: Command,
  definition: SettingsDefinition<S, T>,
): Command {
  // Options are made by the command itself: several copies of commander may be installed side by side.
  const add = (flags: string, description: string): Option => {
    const option = command.createOption(flags, description);
    command.addOption(option);
    return option;
  };
  add('--config <file>', `TOML file with settings (${definition.prefix}_CONFIG)`);
  for (const [name, declared] of Object.entries(definition.settings)) {
    const flag = flagOf(name, declared);
    if (flag === undefined || attributeOf(name, declared) === undefined) continue;
    const variable = environmentOf(definition.prefix, name, declared);
    const shown = showSetting(declared, redacted(declared, declared.default));
    const short = declared.short === undefined ? '' : `-${declared.short}, `;
    const help = `${declared.description} (default: ${shown}; ${variable})`;
    if (typeof declared.default === 'boolean') {
      add(`${short}--${flag}`, help);
      add(`--no-${flag}`, `The opposite of --${flag}`).hideHelp();
    } else {
      const option = add(`${short}--${flag} <${placeholder(declared.unit, flag)}>`, help);
      // A list may be given in one, with commas, or the flag once for each.
      if (Array.isArray(declared.default)) {
        option.argParser((value, before?: string) => (before === undefined ? value : `${before},${value}`));
      }
    }
  }
  return command;
}

function placeholder(unit: string | undefined, flag: string): string {
  if (unit === 'ms') return 'duration';
  if (unit === 'bytes') return 'size';
  return unit ?? flag.split('-').at(-1)!;
}
