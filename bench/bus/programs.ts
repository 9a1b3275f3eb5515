import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunningProcess } from '@rookery/testkit';

const clients = fileURLToPath(new URL('./clients/', import.meta.url));

// A client in C collects nothing. By itself V8 would mark a client's small heap for every few megabytes of messages, with
// threads that inherit the real-time priority: for some milliseconds they keep both cores from every server.
const withoutMarking = [
  '--heap-growing-percent=1000',
  // Newer V8 does so by itself and doesn't know the flag.
  ...(process.versions.v8.startsWith('14.') ? ['--external-memory-accounted-in-global-limit'] : []),
];

/** The arguments of Node that run one of the clients written in it. */
export function nodeClient(name: string): string[] {
  return [...withoutMarking, '--conditions=@rookery/source', join(clients, `${name}.ts`)];
}

/** Compiles one of the clients in C into `folder` and returns its path. */
export function compileClient(name: string, library: string, folder: string): string {
  const program = join(folder, `${name}-client`);
  const sources = [`${name}.c`, 'load.c'].map((source) => join(clients, source));
  const { error, status, stderr } = spawnSync('gcc', ['-O2', '-o', program, ...sources, `-l${library}`], {
    encoding: 'utf8',
  });
  if (error !== undefined || status !== 0) throw new Error(`gcc: ${error?.message ?? stderr}`);
  return program;
}

/** What to install of Debian for these files to be there, or undefined when they are. */
export function whyMissingFiles(packageOf: Readonly<Record<string, string>>): string | undefined {
  const missing = Object.entries(packageOf).filter(([file]) => !existsSync(file));
  if (missing.length === 0) return undefined;
  const packages = missing.map(([, debianPackage]) => debianPackage).join(' ');
  return `${missing.map(([file]) => file).join(', ')} missing: apt-get install ${packages}`;
}

/** Ends servers the way their owner would, all at once. */
export async function stopAll(servers: readonly RunningProcess[]): Promise<void> {
  for (const server of servers) server.kill('SIGTERM');
  await Promise.allSettled(servers.map((server) => server.waitForExit(5000)));
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}
