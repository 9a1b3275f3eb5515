import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hosts, RunningProcess } from '@rookery/testkit';
import { type LoadReport, type LoadSettings, loadArguments } from './clients/contract.ts';
import type { RunningSystem, Service } from './system.ts';

export interface Measurement {
  /** Per receiver: the mean of all receivers. */
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Self-delivery; p50 and p99 are the middle one of the members', max is the largest. Null where nothing was paced. */
  readonly latencyUs: LoadReport['latencyUs'];
  /** Seconds of processor time, user and system, in each second: of all servers, and of all clients. */
  readonly serverCpu: number;
  readonly clientCpu: number;
  /** Whether all receivers saw one order. */
  readonly sameOrder: boolean;
  readonly lost: number;
  readonly reordered: number;
  /** Whether every receiver heard all senders out. */
  readonly complete: boolean;
  /** Whether somebody was taken for gone meanwhile; then what is lost need not be an error of the system. */
  readonly parted: boolean;
  /** Of all clients, see contract.ts. */
  readonly heldUpMs: number;
}

export type Load = Omit<LoadSettings, 'index' | 'members'>;

let measurements = 0;

/** One client on each host, which sends and receives; the servers run already. */
export async function measure(
  hosts: Hosts,
  system: RunningSystem,
  service: Service,
  load: Load,
): Promise<Measurement> {
  await using clients = new AsyncDisposableStack();
  const name = `m${++measurements}`;
  const running = await Promise.all(
    hosts.all.map(async (host, index) => {
      const { program, before = [], after = [] } = system.client(host, index, service, name);
      const args = loadArguments({ ...load, index, members: hosts.all.length });
      const options = { readyPattern: /^ready$/m, readyWithinMs: 40_000 };
      return clients.use(await host.run(program, [...before, ...args, ...after], options));
    }),
  );
  for (const client of running) client.kill('SIGUSR2');
  await delay(load.warmupMs);
  const from = [await cpuSeconds(system.servers), await cpuSeconds(running)] as const;
  const fromMs = performance.now();
  await delay(load.measureMs);
  const to = [await cpuSeconds(system.servers), await cpuSeconds(running)] as const;
  const seconds = (performance.now() - fromMs) / 1000;
  const reports = await Promise.all(running.map(reportOf));
  const perSecond = mean(reports.map(({ measured }) => measured)) / (load.measureMs / 1000);
  return {
    messagesPerSecond: perSecond,
    megabytesPerSecond: (perSecond * load.size) / 1e6,
    latencyUs: latencyOf(reports),
    serverCpu: (to[0] - from[0]) / seconds,
    clientCpu: (to[1] - from[1]) / seconds,
    sameOrder: reports.every((report) => sameOrder(report, reports[0]!)),
    lost: sum(reports.map(({ lost }) => lost)),
    reordered: sum(reports.map(({ reordered }) => reordered)),
    complete: reports.every(({ complete }) => complete),
    parted: reports.some(({ parted }) => parted),
    heldUpMs: Math.max(...reports.map(({ heldUpMs }) => heldUpMs)),
  };
}

async function reportOf(client: RunningProcess): Promise<LoadReport> {
  const { code, signal } = await client.waitForExit(60_000);
  const line = client.stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || !line.startsWith('{')) {
    throw new Error(`a client ended with ${signal ?? `exit code ${code}`}\n${client.output}`);
  }
  return JSON.parse(line) as LoadReport;
}

/** At every count of messages that both have reached. */
function sameOrder(one: LoadReport, other: LoadReport): boolean {
  const common = Math.min(one.hashes.length, other.hashes.length);
  for (let i = 0; i < common; i++) if (one.hashes[i] !== other.hashes[i]) return false;
  return true;
}

function latencyOf(reports: readonly LoadReport[]): LoadReport['latencyUs'] {
  const latencies = reports.flatMap(({ latencyUs }) => latencyUs ?? []);
  if (latencies.length === 0) return null;
  return {
    p50: median(latencies.map(({ p50 }) => p50)),
    p99: median(latencies.map(({ p99 }) => p99)),
    max: Math.max(...latencies.map(({ max }) => max)),
  };
}

/** User and system time of these processes so far; the clock of proc_pid_stat(5) ticks 100 times a second. */
async function cpuSeconds(processes: readonly RunningProcess[]): Promise<number> {
  const ticks = processes.map(async (running) => {
    const stat = await readFile(`/proc/${running.pid}/stat`, 'utf8').catch(() => {
      throw new Error(`a process ended while it was measured\n${running.output}`);
    });
    // The name before this may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return sum(await Promise.all(ticks)) / 100;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}

/** The middle one, or what is between the middle two. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
