import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import {
  type Hello,
  LEASE_MS,
  PROTOCOL,
  RECEIVE_BYTES,
  type ReleaseRef,
  type StepEvent,
  type StepName,
  type StepRequest,
  type StepResult,
} from '../../src/host/protocol.ts';
import { HOOK_TIMEOUT_MS, type HookName, type HostSettings } from '../../src/host/settings.ts';
import { type HostConnection, openConnection } from '../../src/hosts/connection.ts';
import { localTransport } from '../../src/hosts/local.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import type { Host } from '../../src/inventory/host.ts';
import { generateKeys, type PublicKey, parsePublicKey, parseSigningKey } from '../../src/release/keys.ts';
import { type Seeding, seed } from '../../src/swarm/seed.ts';
import { createTracker, type Tracker } from '../../src/swarm/tracker/tracker.ts';
import { type Planted, packFolder, plant } from '../support.ts';

/** A release, its tree, and an origin that has it. */
export interface TestRelease {
  readonly ref: ReleaseRef;
  readonly bytes: Buffer;
  readonly tree: string;
  readonly file: string;
}

/** A tracker, a key, and releases with their origins, in a folder that goes away. */
export interface World extends AsyncDisposable {
  readonly path: string;
  readonly trackers: readonly string[];
  readonly trust: PublicKey;
  readonly trustFile: string;
  release(version: string, files?: Readonly<Record<string, Planted>>): Promise<TestRelease>;
  at(path: string): string;
  /** A root of its own, where nothing is yet. */
  newRoot(): string;
}

export async function createWorld(): Promise<World> {
  const folder: TemporaryFolder = await temporaryFolder();
  const { privatePem, publicPem } = generateKeys();
  const tracker: Tracker = await createTracker({ host: '127.0.0.1', port: 0 });
  const trackers = [`http://127.0.0.1:${tracker.port}/announce`];
  const origins: Seeding[] = [];
  let roots = 0;
  const trustFile = join(folder.path, 'key.pub');
  await writeFile(trustFile, publicPem);
  return {
    path: folder.path,
    trackers,
    trust: parsePublicKey(publicPem),
    trustFile,
    at: (path) => join(folder.path, path),
    newRoot: () => join(folder.path, `root-${++roots}`),
    async release(version, files = {}) {
      const tree = join(folder.path, `tree-${version}`);
      await plant(tree, { 'version.txt': version, 'log/.keep': '', ...files });
      const { bytes, release } = await packFolder(tree, { version, key: parseSigningKey(privatePem) });
      const file = join(folder.path, `${version}.release`);
      await writeFile(file, bytes);
      origins.push(await seed({ release: bytes, folder: tree, trackers }));
      const ref = { name: version, id: release.id, app: 'shop', version, bytes: bytes.length };
      return { ref, bytes, tree, file };
    },
    async [Symbol.asyncDispose]() {
      for (const origin of origins) await origin.close();
      await tracker.close();
      await folder.remove();
    },
  };
}

/** Which release's version `current` leads to. */
export function running(root: string): Promise<string> {
  return readFile(join(root, 'current/version.txt'), 'utf8');
}

export function settingsOf(
  root: string,
  more: Partial<Omit<HostSettings, 'hooks'>> & {
    readonly hooks?: { readonly [K in HookName]?: string };
  } = {},
  hookTimeoutMs: number = HOOK_TIMEOUT_MS,
): HostSettings {
  const { hooks = {}, ...rest } = more;
  return {
    root,
    keep: 5,
    linkedFiles: [],
    linkedFolders: [],
    ...rest,
    hooks: Object.fromEntries(
      Object.entries(hooks).map(([name, command]) => [name, { command, timeoutMs: hookTimeoutMs }]),
    ),
  };
}

export function hostOf(name: string, settings: HostSettings): Host {
  return { name, transport: 'local', address: name, groups: [], tags: [], settings };
}

/** One host, with a connection that is opened again when the host's side was killed. */
export interface TestHost extends AsyncDisposable {
  readonly root: string;
  readonly events: StepEvent[];
  run<S extends StepName>(request: StepRequest<S>, signal?: AbortSignal): Promise<StepResult<S>>;
  /** All steps until the release is there. */
  fetch(release: TestRelease): Promise<void>;
  /** All steps of a push that goes well. */
  deploy(release: TestRelease): Promise<void>;
  readonly connection: () => Promise<HostConnection>;
  kill(): Promise<void>;
  /** Ends the connection as a coordinator does; the next step opens another. */
  leave(): Promise<void>;
}

export function testHost(
  world: World,
  settings: HostSettings,
  options: { readonly deployment?: string; readonly owner?: string; readonly transport?: Transport } = {},
): TestHost {
  const { deployment = randomUUID(), owner = 'ann@laptop', transport = localTransport() } = options;
  const events: StepEvent[] = [];
  const hello: Hello = {
    hello: PROTOCOL,
    deployment,
    owner,
    host: 'web1',
    settings,
    trust: [world.trust.text],
    leaseMs: LEASE_MS,
  };
  let opened: Promise<HostConnection> | undefined;
  const { signal: never } = new AbortController();
  const connection = (): Promise<HostConnection> => {
    opened ??= (async () =>
      openConnection(await transport.open(hostOf('web1', settings), { signal: never }), hello, {
        signal: never,
      }))();
    return opened;
  };
  const run: TestHost['run'] = async (request, signal = never) =>
    (await connection()).run(request, { signal, onEvent: (event) => events.push(event) });
  const leave = async (): Promise<void> => {
    await (await opened)?.close();
    opened = undefined;
  };
  const fetch = async ({ ref: release, bytes }: TestRelease): Promise<void> => {
    const { hasReleaseFile } = await run({ step: 'prepare', release });
    for (let offset = 0; !hasReleaseFile && offset < bytes.length; offset += RECEIVE_BYTES) {
      const data = bytes.subarray(offset, offset + RECEIVE_BYTES).toString('base64');
      await run({ step: 'receive', release, offset, data, last: offset + RECEIVE_BYTES >= bytes.length });
    }
    await run({ step: 'fetch', release, trackers: world.trackers, stallMs: 20_000 });
  };
  return {
    root: settings.root,
    events,
    connection,
    run,
    fetch,
    async deploy(release) {
      await fetch(release);
      await run({ step: 'switch', release: release.ref });
      await run({ step: 'check', release: release.ref });
      await run({ step: 'finish', release: release.ref });
    },
    async kill() {
      await (await opened)?.kill();
      opened = undefined;
    },
    leave,
    [Symbol.asyncDispose]: leave,
  };
}

/** A zombie whose parent hasn't looked yet is gone, too. */
export async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return status.slice(status.lastIndexOf(')')).startsWith(') Z');
}
