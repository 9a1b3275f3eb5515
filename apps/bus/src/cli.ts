import { setFlagsFromString } from 'node:v8';
import { addSettingsOptions, runCli, serve, setExitCode } from '@rookery/service';
import { Command } from 'commander';
import { addClientCommands } from './cli/commands.ts';
import { CLIENT_VARIABLES } from './cli/connection.ts';
import { BusDaemon, version } from './server.ts';
import { settingsDefinition } from './settings.ts';

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  process.exit(await runCli(program(), argv.slice(2)));
}

function program(): Command {
  const root = new Command('rookery-bus')
    .description(
      'An event bus: ordered, reliable multicast with groups, for Spread’s clients and WebSockets.',
    )
    .version(version);
  const daemon = addSettingsOptions(
    root.command('daemon', { isDefault: true }).description('Run a daemon until SIGTERM or Ctrl-C.'),
    settingsDefinition,
  );
  daemon.action(async () => setExitCode(root, await runDaemon(daemon.optsWithGlobals())));
  addClientCommands(root, process.env);
  return root;
}

function runDaemon(flags: Record<string, unknown>): Promise<number> {
  // Those of the client commands may stand beside the daemon's settings, and are none.
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !CLIENT_VARIABLES.includes(name)),
  );
  // Each datagram is a buffer outside of the heap, and a small heap lets V8 mark all of it every few megabytes of those.
  // Measured with 8 KiB messages: 261 instead of 750 us of CPU each, in three daemons. It has to be a flag: there is no
  // API, and what a shebang passes is lost with `node bin/rookery-bus.js`.
  setFlagsFromString('--heap-growing-percent=1000');
  return serve({
    name: 'rookery-bus',
    version,
    definition: settingsDefinition,
    input: { flags, environment },
    create: (loaded, log) => {
      const daemon = new BusDaemon({ loaded, log });
      return {
        lifecycle: daemon.lifecycle,
        announce: () => ({
          ...daemon.address!,
          socket: loaded.values.socket,
          websocket: daemon.webSocketUrl,
          ring: daemon.ringAddress,
          admin: daemon.adminUrl,
        }),
      };
    },
  });
}
