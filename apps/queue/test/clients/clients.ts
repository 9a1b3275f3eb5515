import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type QueueProcess, startQueue } from '../queue-process.ts';

// What the tests of the clients have in common: a server per file, bodies that every client puts, and scripts in the
// clients' own languages that print what they saw as one JSON object.

/** Every byte there is, once. */
export const everyByte: Buffer = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** 1 MiB to the byte, which is memcached's own limit. */
export const megabyte: Buffer = Buffer.alloc(1024 * 1024, everyByte);

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * What a client sees that puts `job 0` to `job 2` and reads them with Kestrel's options in its keys: open, close/open,
 * abort, open, close, peek, t=100 twice. `nothing` is how the client tells of a miss.
 */
export function reliableReads(nothing: unknown): Record<string, unknown> {
  return {
    opened: 'job 0',
    next: 'job 1',
    aborted: nothing,
    again: 'job 1',
    closed: nothing,
    peeked: 'job 2',
    waited: 'job 2',
    timed_out: nothing,
  };
}

/** Clients' parsers want three numbers, and libmemcached's a first that is not 0. */
export const numericVersion: RegExp = /^[1-9]\d*\.\d+\.\d+$/;

/** What `stats` must hold at least, as the scripts print it: the server's own version, and that it has counted. */
export const someStats: Record<string, unknown> = {
  version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  total_items: expect.toSatisfy((items: number) => items > 0),
};

/** Starts a server before the tests of a file; after them it must stop cleanly and have logged no error. */
export function sharedQueue(): { readonly address: string; readonly host: string; readonly port: number } {
  let server: QueueProcess | undefined;
  let folder: TemporaryFolder | undefined;
  beforeAll(async () => {
    folder = await temporaryFolder();
    server = await startQueue({ dataDirectory: folder.path });
  });
  afterAll(async () => {
    try {
      if (server === undefined) return;
      expect(await server.stop()).toBe(0);
      expect(server.process.output).not.toMatch(/"level":"(error|fatal)"/);
    } finally {
      await server?.kill();
      await folder?.remove();
    }
  });
  return {
    get address() {
      return `${server!.host}:${server!.port}`;
    },
    get host() {
      return server!.host;
    },
    get port() {
      return server!.port;
    },
  };
}

/** Why a command can't be used, or undefined: it must be there and end well with these arguments. */
export function whyUnusable(
  debianPackage: string,
  command: string,
  args: readonly string[],
): string | undefined {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore' });
  if (error === undefined && status === 0) return undefined;
  return `"${[command, ...args].join(' ')}" fails; Debian's package ${debianPackage} has it`;
}

/** Tests of a client that may not be there: then they are skipped and say why, or fail where it must be there. */
export function describeClient(client: string, whyNot: string | undefined, tests: () => void): void {
  if (whyNot === undefined) {
    describe(client, tests);
  } else if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') {
    it(`${client} is there to be tested`, () => expect.fail(whyNot));
  } else {
    process.stderr.write(`skipped the tests with ${client}: ${whyNot}\n`);
    describe(client, () => it(`skipped: ${whyNot}`, (context) => context.skip(whyNot)));
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(command: string, args: readonly string[], cwd?: string): Promise<Ended> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stdout: Buffer.concat(stdout), stderr };
}

/** Runs one of `scripts/` and returns what it printed. */
export async function runScript(
  interpreter: string,
  script: string,
  args: readonly string[],
): Promise<Record<string, unknown>> {
  const path = fileURLToPath(new URL(`./scripts/${script}`, import.meta.url));
  const { code, stdout, stderr } = await run(interpreter, [path, ...args]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

/** Debian's own, which has Debian's modules; another may be first in the PATH. */
export const debianPython = '/usr/bin/python3';
