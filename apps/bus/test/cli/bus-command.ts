import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess, waitFor } from '@rookery/testkit';
import type { DaemonProcess } from '../daemon-process.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** What runs `rookery-bus` with these arguments, from source. */
export function busCommand(...args: readonly string[]): { command: string; args: string[] } {
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  return { command: process.execPath, args: ['--conditions=@rookery/source', '--eval', run, '--', ...args] };
}

/** In a line of `sh`. */
export function shellCommand(...args: readonly string[]): string {
  const { command, args: all } = busCommand(...args);
  return [command, ...all].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end; `stdin` is a file. */
export async function runBus(
  args: readonly string[],
  { env = {}, stdin }: { env?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<Ran> {
  await using running = await startProcess({
    ...(stdin === undefined
      ? busCommand(...args)
      : { command: 'sh', args: ['-c', `${shellCommand(...args)} < '${stdin}'`] }),
    env,
  });
  const { code } = await running.waitForExit(30_000);
  return { code, stdout: running.stdout, stderr: running.stderr };
}

/** `sub --json`, once it has joined. */
export function startSub(daemon: DaemonProcess, ...args: readonly string[]): Promise<RunningProcess> {
  return startProcess({
    ...busCommand('sub', '--url', daemon.webSocketUrl, '--json', ...args),
    readyPattern: /"event":"ready"/,
  });
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Until the daemon has so many members in the group. */
export async function untilMembers(daemon: DaemonProcess, group: string, count: number): Promise<void> {
  await waitFor(
    async () => {
      const { groups } = await daemon.admin<{ groups: { name: string; members: number }[] }>('/groups');
      return (groups.find(({ name }) => name === group)?.members ?? 0) === count;
    },
    { what: `${count} in ${group}` },
  );
}
