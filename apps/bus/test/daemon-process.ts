import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freeUdpPort, type RunningProcess, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';

export interface DaemonProcess extends AsyncDisposable {
  readonly name: string;
  /** For clients of Spread's protocol. */
  readonly host: string;
  readonly port: number;
  readonly socketPath: string;
  readonly webSocketUrl: string;
  readonly adminUrl: string;
  /** Undefined for one that is alone. */
  readonly ringPort: number | undefined;
  readonly process: RunningProcess;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Sends SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** What the admin server answers, as JSON. */
  admin<T>(path: string): Promise<T>;
  /** Resident memory. */
  rssBytes(): Promise<number>;
  openDescriptors(): Promise<number>;
}

export interface DaemonProcessOptions {
  readonly name?: string;
  readonly flags?: readonly string[];
  /** A settings file's text, for what has no flag. */
  readonly toml?: string;
  /** This one's, and all others'. */
  readonly ring?: { readonly port: number; readonly peers: readonly number[] };
}

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** Starts a real daemon on free ports, its data in a folder that goes with it. */
export async function startDaemon(options: DaemonProcessOptions = {}): Promise<DaemonProcess> {
  const { name = 'd1', flags = [], toml, ring } = options;
  const folder = await temporaryFolder('rookery-bus-');
  const socketPath = join(folder.path, 'spread.sock');
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  const config = join(folder.path, 'bus.toml');
  if (toml !== undefined) await writeFile(config, toml);
  const peers = ring?.peers.flatMap((port) => ['--peers', `127.0.0.1:${port}`]) ?? [];
  const running = await startProcess({
    command: process.execPath,
    args: [
      ...['--conditions=@rookery/source', '--eval', run, '--'],
      ...['daemon', '--name', name, '--data', folder.path, '--socket', socketPath],
      ...['--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0', '--admin-port', '0', '--log-format', 'json'],
      ...(ring === undefined ? [] : ['--ring', `127.0.0.1:${ring.port}`, ...peers]),
      ...(toml === undefined ? [] : ['--config', config]),
      ...flags,
    ],
    readyPattern: /^.*"msg":"listening on .*$/m,
    readyWithinMs: 60_000,
  });
  const { host, port, websocket, admin } = JSON.parse(running.ready![0]) as {
    host: string;
    port: number;
    websocket: string;
    admin: string;
  };
  return {
    name,
    host,
    port,
    socketPath,
    webSocketUrl: websocket,
    adminUrl: admin,
    ringPort: ring?.port,
    process: running,
    async stop() {
      running.kill('SIGTERM');
      const { code } = await running.waitForExit(30_000);
      await folder.remove();
      return code;
    },
    async kill() {
      running.kill('SIGKILL');
      await running.waitForExit();
    },
    async admin<T>(path: string) {
      const response = await fetch(`${admin}${path}`);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    async rssBytes() {
      const pages = (await readFile(`/proc/${running.pid}/statm`, 'utf8')).split(' ')[1];
      return Number(pages) * 4096;
    },
    async openDescriptors() {
      return (await readdir(`/proc/${running.pid}/fd`)).length;
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** One that may be killed and started again, on the same port and with the same data; it keeps the group. */
export function startDaemonAgain(webSocketPort: number, data: string, keep: string): Promise<RunningProcess> {
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  return startProcess({
    command: process.execPath,
    args: [
      ...['--conditions=@rookery/source', '--eval', run, '--', 'daemon', '--name', 'd1', '--data', data],
      ...['--ws', `127.0.0.1:${webSocketPort}`, '--listen', '127.0.0.1:0', '--admin-port', '0'],
      ...['--keep', keep, '--log-format', 'json'],
    ],
    readyPattern: /"msg":"listening on/,
    readyWithinMs: 60_000,
  });
}

/** A test machine that is busy is no dead daemon: one that gets no processor for 280 ms would be. */
export const PATIENT: readonly string[] = ['--token-loss-ms', '2000', '--consensus-ms', '500'];
/** So long it takes these until one that was killed is out of their view. */
export const PATIENT_MS = 2500;

/** Daemons of one ring, each of which sees all; patient ones, unless they are given flags. */
export async function startRing(
  count: number,
  { flags = PATIENT, ...options }: Omit<DaemonProcessOptions, 'ring' | 'name'> = {},
): Promise<DaemonProcess[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = await freeUdpPort();
    if (!ports.includes(port)) ports.push(port);
  }
  const daemons = await Promise.all(
    ports.map((port, index) =>
      startDaemon({ ...options, flags, name: `d${index + 1}`, ring: { port, peers: ports } }),
    ),
  );
  await Promise.all(daemons.map((daemon) => untilRingOf(daemon, count)));
  return daemons;
}

export async function untilRingOf(daemon: DaemonProcess, count: number): Promise<void> {
  await waitFor(async () => (await daemon.admin<{ members: unknown[] }>('/ring')).members.length === count, {
    what: `${daemon.name} to see a ring of ${count}`,
    detail: () => daemon.process.output,
  });
}

/** Log lines of level error and above. */
export function errorLines(daemon: DaemonProcess): string[] {
  return daemon.process.output.split('\n').filter((line) => {
    try {
      const { level } = JSON.parse(line) as { level: number | string };
      return level === 'error' || level === 'fatal' || Number(level) >= 50;
    } catch {
      return line.trim() !== '';
    }
  });
}
