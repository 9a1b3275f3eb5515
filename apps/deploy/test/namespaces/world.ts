import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createHosts,
  type Host,
  type Hosts,
  type RunningProcess,
  type TemporaryFolder,
  temporaryFolder,
  waitFor,
} from '@rookery/testkit';
import { expect } from 'vitest';
import { generateKeys, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { linesOf, packFolder, plant } from '../support.ts';

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));
const SUPERVISOR = fileURLToPath(new URL('./supervisor.ts', import.meta.url));
const LOAD = fileURLToPath(new URL('./load.ts', import.meta.url));
const UNBUILT = '--conditions=@rookery/source';

/** What a release does: it answers its version, and whether it is healthy. Notes each start of itself. */
const SERVER = `
const { appendFileSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const version = readFileSync(join(__dirname, 'version.txt'), 'utf8');
const healthy = !version.includes('bad');
appendFileSync(join(__dirname, '../../started.log'), version + '\\n');
const server = require('node:http').createServer((request, response) => {
  response.statusCode = request.url === '/health' && !healthy ? 500 : 200;
  response.end(version);
}).listen(8080, '0.0.0.0');
// HTTP's own close() also ends connections whose request is still on its way.
process.on('message', () => require('node:net').Server.prototype.close.call(server, () => process.exit()));
`;

export interface DeployedHost {
  readonly name: string;
  readonly host: Host;
  readonly root: string;
  /** The versions of the app that were ever started there. */
  started(): Promise<string[]>;
  revisions(): Promise<string>;
}

export interface PushEventLine {
  readonly event: string;
  readonly host?: string;
  readonly state?: string;
  readonly [field: string]: unknown;
}

export interface Release {
  readonly version: string;
  readonly file: string;
  readonly tree: string;
}

export interface NamespaceWorld extends AsyncDisposable {
  readonly all: readonly DeployedHost[];
  /** Where the coordinator and the load run. */
  readonly office: Host;
  release(version: string, bytes?: number): Promise<Release>;
  /** `more` are flags; without a tracker in them it is its own origin. */
  startPush(release: Release, ...more: string[]): Promise<RunningProcess>;
  /** Resolves to its events, of which the last is `done`. */
  push(release: Release, ...more: string[]): Promise<PushEventLine[]>;
  /** A program of ours in the office. */
  rookery(args: readonly string[], readyPattern?: RegExp): Promise<RunningProcess>;
  startLoad(): Promise<Load>;
  versions(): Promise<string[]>;
}

export interface Load {
  /** What each host has answered since the last look, in order; each change once. */
  answers(): Promise<Map<string, string[]>>;
  /** Requests that failed since the last look. */
  failures(): readonly { readonly host: string; readonly error: string }[];
  /** Resolves when every host has answered some more requests. */
  more(hosts?: readonly string[]): Promise<void>;
}

export function eventsOf(process: RunningProcess): PushEventLine[] {
  return linesOf(process);
}

/** How a push ended; one that ended otherwise is told from its begin. */
export function expectOutcome(events: readonly PushEventLine[], outcome: string): void {
  const story = events.filter(({ event }) => event !== 'progress' && event !== 'swarm');
  const done = events.at(-1);
  expect([done?.event, done?.outcome], story.map((event) => JSON.stringify(event)).join('\n')).toEqual([
    'done',
    outcome,
  ]);
}

/** Hosts on one switch, each with an agent and, once something is deployed, an app that answers over HTTP. */
export async function namespaceWorld(count: number): Promise<NamespaceWorld> {
  const folder: TemporaryFolder = await temporaryFolder('rookery-namespaces-');
  const at = (...path: string[]): string => join(folder.path, ...path);
  const network: Hosts = await createHosts({ count: count + 1 });
  const [office, ...machines] = network.all;
  const key = async (name: string): Promise<{ readonly privatePem: string; readonly publicPem: string }> => {
    const keys = generateKeys();
    await writeFile(at(`${name}.key`), keys.privatePem, { mode: 0o600 });
    await writeFile(at(`${name}.pub`), keys.publicPem);
    return keys;
  };
  const { privatePem } = await key('release');
  await key('coordinator');
  const all = machines.map((host, index): DeployedHost => {
    const name = `host${index + 1}`;
    const root = at(name);
    const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8').catch(() => '');
    return {
      name,
      host,
      root,
      started: async () => (await read('started.log')).split('\n').filter(Boolean),
      revisions: () => read('revisions.log'),
    };
  });
  const known = await Promise.all(
    all.map(async ({ name, host, root }) => {
      const { publicPem } = await key(name);
      await mkdir(root);
      await writeFile(at(`${name}.toml`), agentSettings(at, name, root));
      await rookeryOn(host, ['agent', '--config', at(`${name}.toml`)], /public_key/);
      return [
        `[hosts.${name}]`,
        `root = "${root}"`,
        `address = "${host.address}"`,
        `agent_key = "${parsePublicKey(publicPem).text}"`,
      ];
    }),
  );
  // In the order of the hosts, whichever was ready first: it is the order of the waves.
  const inventory = ['[defaults]', 'transport = "agent"', ...known.flat(), ''];
  await writeFile(at('hosts.toml'), inventory.join('\n'));

  const startPush: NamespaceWorld['startPush'] = (release, ...more) => {
    const origin = more.includes('--tracker') ? [] : ['--tree', release.tree];
    const who = ['--trust', at('release.pub'), '--agent-key', at('coordinator.key')];
    const where = ['--hosts', at('hosts.toml'), '--wave', '1,25%,100%', '--history', at('history')];
    return rookeryOn(office!, ['push', release.file, ...origin, ...who, ...where, '--json', ...more]);
  };
  return {
    all,
    office: office!,
    startPush,
    async release(version, bytes = 0) {
      const tree = at(`tree-${version}`);
      const content: Record<string, string | Uint8Array> = { 'version.txt': version, 'server.js': SERVER };
      // Random, so that nothing of it is anywhere yet.
      if (bytes > 0) content['large.bin'] = randomBytes(bytes);
      await plant(tree, content);
      const packed = await packFolder(tree, { version, key: parseSigningKey(privatePem) });
      await writeFile(at(`${version}.release`), packed.bytes);
      return { version, file: at(`${version}.release`), tree };
    },
    async push(release, ...more) {
      await using running = await startPush(release, ...more);
      await running.waitForExit(120_000);
      return eventsOf(running);
    },
    rookery: (args, readyPattern) => rookeryOn(office!, [...args, '--json'], readyPattern),
    startLoad: () => startLoad(office!, all),
    versions: () => Promise.all(all.map(({ root }) => readFile(join(root, 'current/version.txt'), 'utf8'))),
    async [Symbol.asyncDispose]() {
      await network.dispose();
      await folder.remove();
    },
  };
}

function rookeryOn(host: Host, args: readonly string[], readyPattern?: RegExp): Promise<RunningProcess> {
  return host.run(process.execPath, [UNBUILT, PROGRAM, ...args], {
    ...(readyPattern === undefined ? {} : { readyPattern, readyWithinMs: 120_000 }),
  });
}

function agentSettings(at: (name: string) => string, name: string, root: string): string {
  return [
    'listen = "0.0.0.0:7071"',
    'admin_port = 0',
    `key = "${at(`${name}.key`)}"`,
    `coordinators = ["${at('coordinator.pub')}"]`,
    `trust = ["${at('release.pub')}"]`,
    `roots = ["${root}"]`,
    '[hooks]',
    // The first time there is nothing to be told: it is started, and left running.
    `published = '''`,
    'if [ -e "$ROOKERY_ROOT/supervisor.pid" ]; then kill -HUP "$(cat "$ROOKERY_ROOT/supervisor.pid")"',
    `else ${process.execPath} ${SUPERVISOR} "$ROOKERY_ROOT" >"$ROOKERY_ROOT/supervisor.log" 2>&1 & fi'''`,
    '[check]',
    'http = "http://127.0.0.1:8080/health"',
    'contains = "{version}"',
    'interval_ms = 100',
    'within_ms = 8000',
    '',
  ].join('\n');
}

async function startLoad(office: Host, all: readonly DeployedHost[]): Promise<Load> {
  const targets = all.map(({ name, host }) => `${name}=http://${host.address}:8080/version`);
  const running = await office.run(process.execPath, [LOAD, ...targets], {
    readyPattern: /ready/,
    readyWithinMs: 60_000,
  });
  type Said = {
    readonly host?: string;
    readonly version?: string;
    readonly error?: string;
    readonly answered?: Readonly<Record<string, number>>;
  };
  const said = (): Said[] => linesOf(running);
  let looked = 0;
  let lookedForFailures = 0;
  const more: Load['more'] = async (hosts = all.map(({ name }) => name)) => {
    const counts = (): Readonly<Record<string, number>> =>
      said().findLast(({ answered }) => answered !== undefined)?.answered ?? {};
    const before = counts();
    await waitFor(() => hosts.every((name) => (counts()[name] ?? 0) >= (before[name] ?? 0) + 3), {
      what: 'every host to answer some more',
      withinMs: 30_000,
      detail: () => running.output.slice(-2_000),
    });
  };
  return {
    more,
    async answers() {
      await more();
      const found = new Map<string, string[]>();
      const lines = said();
      for (const { host, version } of lines.slice(looked)) {
        if (host !== undefined && version !== undefined)
          found.set(host, [...(found.get(host) ?? []), version]);
      }
      looked = lines.length;
      return found;
    },
    failures() {
      const lines = said();
      const found = lines
        .slice(lookedForFailures)
        .flatMap(({ host, error }) => (host === undefined || error === undefined ? [] : [{ host, error }]));
      lookedForFailures = lines.length;
      return found;
    },
  };
}
