/** Real daemons, one on each of some hosts in network namespaces. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createHosts, type Host, type Hosts, type RunningProcess, temporaryFolder } from '@rookery/testkit';

/** How the daemons find each other. */
export const WIRINGS = ['multicast', 'peers', 'multicast over IPv6'] as const;
export type Wiring = (typeof WIRINGS)[number];

/** One daemon through all its lives: the same name, the same data. */
export interface HostDaemon {
  readonly name: string;
  readonly host: Host;
  /** Namespaces share files: its clients may live anywhere. */
  readonly socketPath: string;
  /** Of all lives, newest last. */
  readonly output: string;
  readonly lives: boolean;
  start(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface Cluster extends AsyncDisposable {
  readonly hosts: Hosts;
  readonly daemons: readonly [HostDaemon, HostDaemon, HostDaemon];
  /** A fourth, on a host of its own, whose secret is another. */
  startStranger(): Promise<HostDaemon>;
  /** Nothing arrives at this host, and nothing that it sends at others. */
  isolate(host: Host): Promise<void>;
  clearLoss(): Promise<void>;
  /** Every fault is over: all are there and reach each other. */
  heal(): Promise<void>;
}

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const PORT = 4805;
const COUNT = 3;

export async function startCluster(wiring: Wiring): Promise<Cluster> {
  const folder = await temporaryFolder('rookery-faults-');
  const secretFile = join(folder.path, 'secret');
  const otherSecretFile = join(folder.path, 'other-secret');
  await writeFile(secretFile, 'a secret of thirty-two characters');
  await writeFile(otherSecretFile, 'another one, of the same length..');
  const hosts = await createHosts({ count: COUNT + 1 });
  const daemons = hosts.all.map((host, index) =>
    daemonOn(host, `d${index + 1}`, folder.path, [
      ...ringFlags(wiring, hosts, host),
      ...['--secret-file', index < COUNT ? secretFile : otherSecretFile],
    ]),
  );
  const stranger = daemons.pop() as HostDaemon;
  const dispose = async (): Promise<void> => {
    await hosts.dispose();
    await folder.remove();
  };
  try {
    await Promise.all(daemons.map((daemon) => daemon.start()));
  } catch (error) {
    await dispose();
    throw error;
  }
  const clearLoss = async (): Promise<void> => {
    await Promise.all(hosts.all.map((host) => host.clearLoss()));
  };
  return {
    hosts,
    daemons: daemons as [HostDaemon, HostDaemon, HostDaemon],
    async startStranger() {
      await stranger.start();
      return stranger;
    },
    async isolate(host) {
      await Promise.all(
        hosts.all.map((each) => each.loss({ percent: 100, ...(each === host ? {} : { from: host }) })),
      );
    },
    clearLoss,
    async heal() {
      for (const daemon of daemons) daemon.resume();
      await Promise.all([clearLoss(), ...hosts.all.map((host) => host.link('up'))]);
      await Promise.all(daemons.filter(({ lives }) => !lives).map((daemon) => daemon.start()));
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** Resolves with how long it was in fact. */
export async function stopFor(daemon: HostDaemon, ms: number): Promise<number> {
  const startMs = performance.now();
  daemon.pause();
  await delay(ms);
  daemon.resume();
  return performance.now() - startMs;
}

function ringFlags(wiring: Wiring, hosts: Hosts, host: Host): string[] {
  switch (wiring) {
    case 'multicast':
      return ['--ring', `${host.address}:${PORT}`, '--multicast', `239.192.0.7:${PORT}`];
    case 'multicast over IPv6':
      return ['--ring', `[${host.address6}]:${PORT}`, '--multicast', `[ff02::4805]:${PORT}`];
    case 'peers': {
      const peers = hosts.all.map(({ address }) => `${address}:${PORT}`).join();
      return ['--ring', `${host.address}:${PORT}`, '--peers', peers];
    }
  }
}

function daemonOn(host: Host, name: string, folder: string, ring: readonly string[]): HostDaemon {
  const socketPath = join(folder, `${name}.sock`);
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  const lives: RunningProcess[] = [];
  return {
    name,
    host,
    socketPath,
    get output() {
      return lives.map(({ output }) => output).join('--- killed, started again\n');
    },
    get lives() {
      return lives.at(-1)?.exit === undefined && lives.length > 0;
    },
    async start() {
      const running = await host.run(
        process.execPath,
        [
          ...['--conditions=@rookery/source', '--eval', run, '--'],
          ...['daemon', '--name', name, '--data', join(folder, name), '--socket', socketPath],
          ...['--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0', '--admin-port', '0', '--log-format', 'json'],
          ...ring,
        ],
        { readyPattern: /^.*"msg":"listening on .*$/m, readyWithinMs: 30_000 },
      );
      lives.push(running);
    },
    async kill() {
      lives.at(-1)?.kill('SIGKILL');
      await lives.at(-1)?.waitForExit();
    },
    pause() {
      lives.at(-1)?.kill('SIGSTOP');
    },
    resume() {
      lives.at(-1)?.kill('SIGCONT');
    },
  };
}
