import { addSettingsOptions, runCli, serve, setExitCode } from '@rookery/service';
import { Command } from 'commander';
import { verify } from './cli/verify.ts';
import { QueueServer, version } from './server.ts';
import { settingsDefinition } from './settings.ts';

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  process.exit(await runCli(program(), argv.slice(2)));
}

function program(): Command {
  const root = new Command('rookery-queue')
    .description('A light, persistent queue server that speaks memcache.')
    .version(version);
  const serve = addSettingsOptions(
    root.command('serve', { isDefault: true }).description('Run the server until SIGTERM or Ctrl-C.'),
    settingsDefinition,
  );
  serve.action(async () => setExitCode(root, await runServer(serve.optsWithGlobals())));
  root
    .command('verify')
    .description('Read every byte of a data folder that no server has open, and say what is whole.')
    .argument('<directory>', 'what serve has as --data')
    .option('--json', 'for programs')
    .action(async (directory: string, { json = false }: { json?: boolean }) => {
      const progress = process.stderr.isTTY && !json;
      const { text, whole } = await verify(directory, {
        json,
        onProgress: (done, of) => {
          if (progress) process.stderr.write(`\r${done} of ${of} segments${done === of ? '\r\x1b[K' : ''}`);
        },
      });
      process.stdout.write(text);
      if (!whole) setExitCode(root, 1);
    });
  return root;
}

function runServer(flags: Record<string, unknown>): Promise<number> {
  return serve({
    name: 'rookery-queue',
    version,
    definition: settingsDefinition,
    input: { flags, environment: process.env },
    create: (loaded, log) => {
      const server = new QueueServer({ loaded, log });
      return {
        lifecycle: server.lifecycle,
        announce: () => ({
          ...server.address!,
          socket: loaded.values.socket,
          admin: server.adminUrl,
        }),
        reload: () => void server.reload(),
      };
    },
  });
}
