import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunningProcess } from '@rookery/testkit';
import type { Machine, RunningSystem } from './system.ts';

/** Debian's, which has Debian's libraries; the one that is found first may be another. */
export const python = '/usr/bin/python3';

const ready = { readyPattern: /^ready$/m, readyWithinMs: 120_000 } as const;

function clientFile(name: string): string {
  return fileURLToPath(new URL(`./clients/${name}`, import.meta.url));
}

/** Starts one of the clients in Node; returns when it has printed `ready`. */
export function runNode({ host }: Machine, name: string, args: readonly string[]): Promise<RunningProcess> {
  const all = ['--conditions=@rookery/source', clientFile(`${name}.ts`), ...args];
  return host.run(process.execPath, all, ready);
}

/** Starts one of the clients in Python; returns when it has printed `ready`. */
export function runPython({ host }: Machine, name: string, args: readonly string[]): Promise<RunningProcess> {
  return host.run(python, [clientFile(`${name}.py`), ...args], ready);
}

/** A program that knows no SIGUSR2: it is started by it. */
export function runGated(
  machine: Machine,
  program: string,
  args: readonly string[],
): Promise<RunningProcess> {
  return runPython(machine, 'gate', [program, ...args]);
}

/** What to install of Debian for this command to run, or undefined when it does. */
export function whyFails(
  debianPackage: string,
  program: string,
  args: readonly string[],
): string | undefined {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error === undefined && status === 0) return undefined;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1);
  return `${reason}: apt-get install ${debianPackage}`;
}

/**
 * Starts what is given, and leaves nothing running when one of them fails. What runs on the origin comes one after the
 * other, and is given those before it.
 */
export async function startAll(
  startOrigin: readonly ((before: readonly RunningProcess[]) => Promise<RunningProcess>)[],
  startClients: readonly (() => Promise<RunningProcess>)[],
  doneText: string,
): Promise<RunningSystem> {
  const stack = new AsyncDisposableStack();
  try {
    const origin: RunningProcess[] = [];
    for (const start of startOrigin) origin.push(stack.use(await start(origin)));
    const clients = await Promise.all(startClients.map(async (start) => stack.use(await start())));
    return { origin, clients, doneText, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
