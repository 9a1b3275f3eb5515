import { readFile } from 'node:fs/promises';
import { type Hosts, type RunningProcess, waitFor } from '@rookery/testkit';
import { drops, sentBytes } from './network.ts';
import { checkSame } from './payload.ts';
import { type Scene, type System, treeOf } from './system.ts';

export interface Measurement {
  /** From the start of all clients to each machine's whole tree, sorted. */
  readonly seconds: readonly number[];
  /** Of processor time, user and system, until the last had it: all clients' mean, and what runs on the origin. */
  readonly cpuPerMachine: number;
  readonly cpuOrigin: number;
  /** Bytes, headers included; null on the loopback. */
  readonly sentByOrigin: number | null;
  readonly dropsAtHosts: number;
  readonly dropsAtSwitch: number;
}

/** All clients at once; nobody leaves before the last has everything. */
export async function measure(
  system: System,
  scene: Scene,
  hosts: Hosts,
  withinMs: number,
): Promise<Measurement> {
  const { origin, machines, tree } = scene;
  await using running = await system.start(scene);
  const { clients, doneText } = running;
  const before = {
    clients: await cpuSeconds(clients),
    origin: await cpuSeconds(running.origin),
    sent: await sentBytes(origin.host),
    drops: await drops(hosts),
  };
  const done = new Map<RunningProcess, number>();
  const start = performance.now();
  for (const client of clients) client.kill('SIGUSR2');
  await waitFor(
    () => {
      for (const client of clients) {
        if (done.has(client)) continue;
        if (client.stdout.includes(doneText)) done.set(client, (performance.now() - start) / 1000);
        else if (client.exit !== undefined) throw new Error(`a client ended early\n${client.output}`);
      }
      return done.size === clients.length;
    },
    {
      what: `all of ${clients.length} to have everything`,
      withinMs,
      everyMs: 5,
      detail: () =>
        `${done.size} had it; the first of the others:\n${clients.find((c) => !done.has(c))?.output.slice(-2000)}`,
    },
  );
  const after = {
    clients: await cpuSeconds(clients),
    origin: await cpuSeconds(running.origin),
    sent: await sentBytes(origin.host),
    drops: await drops(hosts),
  };
  for (const machine of machines) await checkSame(tree, treeOf(machine));
  return {
    seconds: [...done.values()].sort((a, b) => a - b),
    cpuPerMachine: (after.clients - before.clients) / clients.length,
    cpuOrigin: after.origin - before.origin,
    sentByOrigin: machines.every(({ host }) => host === origin.host) ? null : after.sent - before.sent,
    dropsAtHosts: after.drops.hosts - before.drops.hosts,
    dropsAtSwitch: after.drops.switch - before.drops.switch,
  };
}

/**
 * User and system time of these processes so far, and of their children that have ended; the clock of proc_pid_stat(5)
 * ticks 100 times a second.
 */
export async function cpuSeconds(processes: readonly RunningProcess[]): Promise<number> {
  let ticks = 0;
  for (const running of processes) {
    const stat = await readFile(`/proc/${running.pid}/stat`, 'utf8').catch(() => {
      throw new Error(`a process ended while it was measured\n${running.output}`);
    });
    // The name before this may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return ticks / 100;
}
