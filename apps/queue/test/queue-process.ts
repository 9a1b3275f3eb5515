import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '@rookery/testkit';

export interface QueueProcess {
  readonly host: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly process: RunningProcess;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Sends SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface QueueProcessOptions {
  readonly dataDirectory: string;
  /** Flags of `serve`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** What runs `rookery-queue` with these arguments, from source. */
export function queueCommand(...args: string[]): { command: string; args: string[] } {
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  return { command: process.execPath, args: ['--conditions=@rookery/source', '--eval', run, '--', ...args] };
}

/** Starts a real queue server on free ports. */
export async function startQueue(options: QueueProcessOptions): Promise<QueueProcess> {
  const running = await startProcess({
    ...queueCommand(
      'serve',
      ...['--port', '0', '--admin-port', '0', '--data', options.dataDirectory, '--log-format', 'json'],
      ...(options.flags ?? []),
    ),
    ...(options.env === undefined ? {} : { env: options.env }),
    readyPattern: /^.*"msg":"listening on .*$/m,
  });
  const { host, port, admin } = JSON.parse(running.ready![0]) as {
    host: string;
    port: number;
    admin: string;
  };
  return {
    host,
    port,
    adminUrl: admin,
    process: running,
    async stop() {
      running.kill('SIGTERM');
      return (await running.waitForExit(30_000)).code;
    },
    async kill() {
      running.kill('SIGKILL');
      await running.waitForExit();
    },
  };
}
