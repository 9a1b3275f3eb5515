import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Host, type RunningProcess, startProcess, waitFor } from '@rookery/testkit';
import { expect } from 'vitest';
import { readPublicKeys, readReleaseFile } from '../../src/cli/files.ts';
import { generateKeys, parseSigningKey } from '../../src/release/keys.ts';
import { payloadBytes, torrentFile } from '../../src/release/torrent.ts';
import { verify } from '../../src/verify.ts';
import { linesOf, packFolder, plantMany } from '../support.ts';

const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

/** A release and all that its hosts are given, as files. */
export interface PackedFiles {
  readonly tree: string;
  readonly release: string;
  readonly torrent: string;
  readonly trust: string;
  readonly payloadBytes: number;
}

/** Plants files that make up about so many bytes, packs and signs them. */
export async function packTree(
  folder: string,
  options: { readonly bytes: number; readonly files?: number; readonly seed?: number },
): Promise<PackedFiles> {
  const { bytes, files = 20, seed = 1 } = options;
  const tree = join(folder, `tree-${seed}`);
  await plantMany(tree, { files, seed, bytes: () => Math.floor(bytes / files) });
  return packExisting(folder, tree, `release-${seed}`);
}

export async function packExisting(folder: string, tree: string, name: string): Promise<PackedFiles> {
  const { privatePem, publicPem } = generateKeys();
  const { bytes, release } = await packFolder(tree, { key: parseSigningKey(privatePem) });
  const paths = {
    release: join(folder, `${name}.release`),
    torrent: join(folder, `${name}.torrent`),
    trust: join(folder, `${name}.pub`),
  };
  await writeFile(paths.release, bytes);
  if (payloadBytes(release.manifest) > 0) await writeFile(paths.torrent, torrentFile(release.info));
  await writeFile(paths.trust, publicPem);
  return { tree, ...paths, payloadBytes: payloadBytes(release.manifest) };
}

export interface Surroundings {
  /** Run by a shell, before it becomes the program. */
  readonly shell?: string;
  /** A command that runs the program, such as strace. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the command line as a process of its own, on this machine or on a test host. */
export function rookery(
  args: readonly string[],
  options: { readonly host?: Host | undefined; readonly ready?: RegExp } & Surroundings = {},
): Promise<RunningProcess> {
  const { host, ready, shell, under = [], env = {} } = options;
  const node = [...under, process.execPath, '--conditions=@rookery/source', PROGRAM, ...args];
  // What the shell sets, such as limits, holds for the program that it becomes.
  const [command, ...rest] = shell === undefined ? node : ['sh', '-c', `${shell}; exec "$@"`, 'sh', ...node];
  const start = { ...(ready === undefined ? {} : { readyPattern: ready }), readyWithinMs: 60_000, env };
  return host === undefined
    ? startProcess({ ...start, command: command!, args: rest })
    : host.run(command!, rest, start);
}

export async function startTracker(
  host?: Host,
): Promise<{ readonly process: RunningProcess; readonly url: string }> {
  const address = host?.address ?? '127.0.0.1';
  const process = await rookery(['tracker', '--listen', `${address}:0`, '--json'], {
    host,
    ready: /"port":(\d+)/,
  });
  return { process, url: `http://${address}:${process.ready?.[1]}/announce` };
}

export function startOrigin(
  packed: PackedFiles,
  tracker: string,
  host?: Host,
  surroundings: Surroundings = {},
): Promise<RunningProcess> {
  return rookery(['seed', packed.release, packed.tree, '--tracker', tracker, '--json'], {
    ...surroundings,
    host,
    ready: /"seeding".*"port":(\d+),"web_seed_port":(\d+)/,
  });
}

export function startFetch(
  packed: PackedFiles,
  to: string,
  tracker: string,
  options: { readonly host?: Host | undefined; readonly more?: readonly string[] } & Surroundings = {},
): Promise<RunningProcess> {
  const { more = [], ...rest } = options;
  return rookery(
    [
      ...['fetch', packed.release, '--to', to, '--trust', packed.trust, '--tracker', tracker],
      ...['--json', ...more],
    ],
    rest,
  );
}

export interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The event, once it is there; fails at once when the program ended without it. */
export function eventOf(process: RunningProcess, name: string, withinMs = 60_000): Promise<Event> {
  return waitFor(
    () => {
      const found = linesOf<Event>(process).findLast(({ event }) => event === name);
      if (found === undefined && process.exit !== undefined)
        throw new Error(`no ${name}:\n${process.output}`);
      return found;
    },
    { what: `the event ${name}`, withinMs, detail: () => process.output },
  );
}

/** That the folder is, to the byte and the mode, what a trusted key has signed; and nothing was left beside it. */
export async function expectWhole({ release, trust }: PackedFiles, to: string): Promise<void> {
  const { differences } = await verify({
    release: await readReleaseFile(release),
    folder: to,
    trust: await readPublicKeys([trust]),
    exactModes: true,
  });
  expect(differences).toEqual([]);
  expect((await readdir(dirname(to))).filter((name) => name.includes('.fetching'))).toEqual([]);
}

/** The folder in which a fetch builds its tree, and nothing else. */
export async function stagingIn(parent: string): Promise<string> {
  const names = await readdir(parent);
  expect(names).toEqual([expect.stringMatching(/^\.tree\..*\.fetching$/)]);
  return join(parent, names[0]!);
}

/** Resolves when so much of the payload is there. */
export function fetchedPart(process: RunningProcess, part: number): Promise<Event> {
  return waitFor(
    () =>
      linesOf<Event>(process).find(
        ({ event, phase, done_bytes, total_bytes }) =>
          event === 'progress' && phase === 'fetching' && Number(done_bytes) >= part * Number(total_bytes),
      ),
    { what: `${part} of the payload`, withinMs: 60_000, detail: () => process.output },
  );
}
