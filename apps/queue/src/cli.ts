import { setFlagsFromString } from 'node:v8';
import { addSettingsOptions, runCli, serve, setExitCode } from '@rookery/service';
import { Command } from 'commander';
import { addClientCommands } from './cli/commands.ts';
import { showProgress } from './cli/progress.ts';
import { CLIENT_VARIABLES } from './cli/target.ts';
import { addToken } from './cli/token.ts';
import { verify } from './cli/verify.ts';
import { QueueServer, version } from './server.ts';
import { settingsDefinition } from './settings.ts';

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  process.exit(await runCli(program(), argv.slice(2)));
}

interface TokenFlags {
  readonly file?: string;
  readonly replace: boolean;
  readonly add: boolean;
}

function program(): Command {
  const root = new Command('rookery-queue')
    .description('A light, persistent queue server that speaks memcache.')
    .version(version);
  const serve = addSettingsOptions(
    root.command('serve').description('Run the server until SIGTERM or Ctrl-C.'),
    settingsDefinition,
  );
  serve.action(async () => setExitCode(root, await runServer(serve.optsWithGlobals())));
  root
    .command('verify')
    .description('Read every byte of a data folder that no server has open, and say what is whole.')
    .argument('<directory>', 'what serve has as --data')
    .option('--json', 'for programs')
    .action(async (directory: string, { json = false }: { json?: boolean }) => {
      using progress = json ? undefined : showProgress('segments');
      const { text, whole } = await verify(directory, {
        json,
        onProgress: (done, of) => progress?.update(done, of),
      });
      progress?.[Symbol.dispose]();
      process.stdout.write(text);
      if (!whole) setExitCode(root, 1);
    });
  root
    .command('token')
    .description('Make a token for a user: prints it, once, and writes its hash into the file of users.')
    .argument('<user>', 'letters, digits and . _ @ -')
    .argument('[rights...]', 'such as read,write:jobs or all:jobs.* or all:*; of read, write, manage and all')
    .option('--file <file>', 'what serve has as --auth-file (default: ROOKERY_QUEUE_AUTH_FILE)')
    .option('--replace', 'the tokens that the user has end', false)
    .option('--add', 'the user keeps his tokens, and has this one beside them', false)
    .action((name: string, grants: readonly string[], flags: TokenFlags, self: Command) => {
      const file = flags.file ?? process.env.ROOKERY_QUEUE_AUTH_FILE;
      if (!file) self.error('error: give --file, or set ROOKERY_QUEUE_AUTH_FILE');
      process.stdout.write(`${addToken({ ...flags, name, grants, file })}\n`);
    });
  addClientCommands(root, process.env);
  return root;
}

function runServer(flags: Record<string, unknown>): Promise<number> {
  // Those of the client commands may stand beside the server's settings, and are none.
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !CLIENT_VARIABLES.includes(name)),
  );
  // Indexes and write buffers stand outside of the heap. By itself V8 marks all of a small heap for every few megabytes of
  // those, three times a second under puts: 1.4 us of CPU for one in a burst, and with growth by 1000 % 0.9. A flag,
  // because there is no API, and what a shebang passes is lost with `node bin/rookery-queue.js`.
  setFlagsFromString('--heap-growing-percent=1000');
  return serve({
    name: 'rookery-queue',
    version,
    definition: settingsDefinition,
    input: { flags, environment },
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
