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
    root.command('daemon').description('Run a daemon until SIGTERM or Ctrl-C.'),
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
  // Each datagram is a buffer outside of the heap. By itself V8 marks all of a small heap for every few megabytes of
  // those; in three daemons that took two thirds of the CPU for an 8 KiB message (750 us, and 261 with growth by 300 %),
  // and pauses of 10 ms. They have to be flags: there is no API, and what a shebang passes is lost with
  // `node bin/rookery-bus.js`.
  setFlagsFromString('--heap-growing-percent=1000');
  // Else 64 MiB of buffers since the last marking begin the next one, whatever the heap's own limit (13 markings in 7 s
  // at 10,000 such messages a second; with it 4). Newer V8 does so by itself and doesn't know the flag.
  if (process.versions.v8.startsWith('14.'))
    setFlagsFromString('--external-memory-accounted-in-global-limit');
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
