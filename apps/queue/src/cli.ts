import {
  addSettingsOptions,
  createLogger,
  flushLog,
  loadSettings,
  runCli,
  runProcess,
  setExitCode,
  settingsForLog,
} from '@rookery/service';
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

async function runServer(flags: Record<string, unknown>): Promise<number> {
  const loaded = loadSettings(settingsDefinition, { flags, environment: process.env });
  const { logLevel, logFormat } = loaded.values;
  const log = createLogger({ name: 'rookery-queue', level: logLevel, format: logFormat });
  for (const warning of loaded.warnings) log.warn(warning);
  log.info({ version, settings: settingsForLog(loaded) }, 'starting');
  const server = new QueueServer({ loaded, log });
  // After the listeners, so that whoever reads this line can connect.
  server.lifecycle.add({
    name: 'announcement',
    start: () => {
      const { host, port } = server.address!;
      log.info(
        { host, port, socket: loaded.values.socket, admin: server.adminUrl },
        `listening on ${host}:${port}`,
      );
    },
  });
  try {
    return await runProcess({ lifecycle: server.lifecycle, log, reload: () => void server.reload() });
  } finally {
    await flushLog(log);
  }
}
