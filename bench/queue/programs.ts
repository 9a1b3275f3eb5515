import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningProcess, startProcess, waitFor } from '@rookery/testkit';
import type { RunningSystem } from './system.ts';

const clients = fileURLToPath(new URL('./clients/', import.meta.url));

/** Compiles the load into `folder` and returns its path. */
export function compileLoad(folder: string): string {
  const program = join(folder, 'load');
  const sources = ['load', 'memcache', 'redis', 'beanstalk', 'nats'].map((name) =>
    join(clients, `${name}.c`),
  );
  const { error, status, stderr } = spawnSync('gcc', ['-O2', '-Wall', '-o', program, ...sources], {
    encoding: 'utf8',
  });
  if (error !== undefined || status !== 0) throw new Error(`gcc: ${error?.message ?? stderr}`);
  return program;
}

/** What to install of Debian, or undefined when the program is there. */
export function whyMissingProgram(file: string, debianPackage: string): string | undefined {
  return existsSync(file) ? undefined : `${file} missing: apt-get install ${debianPackage}`;
}

/** Starts a server of Debian's on a free port, and returns when it takes connections. */
export async function startServer(
  command: string,
  args: (port: number) => readonly string[],
): Promise<RunningSystem> {
  const port = await freePort();
  const server = await startProcess({ command, args: args(port) });
  await waitFor(() => answers(port), { what: `${command} to listen`, detail: () => server.output });
  return { server, port, [Symbol.asyncDispose]: () => stop(server) };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** The way its owner would. */
export async function stop(server: RunningProcess): Promise<void> {
  server.kill('SIGTERM');
  await server.waitForExit(20_000).catch(() => undefined);
  await server[Symbol.asyncDispose]();
}
