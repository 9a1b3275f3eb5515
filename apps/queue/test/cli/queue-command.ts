import { type RunningProcess, startProcess } from '@rookery/testkit';
import { QueueServer } from '../../src/index.ts';
import { queueCommand } from '../queue-process.ts';

/** In a line of `sh`. */
export function shellCommand(...args: readonly string[]): string {
  const { command, args: all } = queueCommand(...args);
  return [command, ...all].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command to its end; `stdin` is a line of `sh` whose output it reads. */
  run(args: readonly string[], stdin?: string): Promise<Ran>;
  start(...args: readonly string[]): Promise<RunningProcess>;
}

/** A server in this process, and commands that are told where it is. */
export async function commandServer(data: string): Promise<CommandServer> {
  const server = new QueueServer({ settings: { port: 0, adminPort: 0, data, sync: 'never' } });
  await server.start();
  const address = server.address!;
  const env = { ROOKERY_QUEUE_SERVER: `${address.host}:${address.port}` };
  const start = (args: readonly string[], stdin?: string): Promise<RunningProcess> =>
    startProcess({
      ...(stdin === undefined
        ? queueCommand(...args)
        : { command: 'sh', args: ['-c', `${stdin} | ${shellCommand(...args)}`] }),
      env,
    });
  return {
    address,
    env,
    async run(args, stdin) {
      await using running = await start(args, stdin);
      const { code } = await running.waitForExit(120_000);
      return { code, stdout: running.stdout, stderr: running.stderr };
    },
    start: (...args) => start(args),
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
