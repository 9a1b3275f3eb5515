/** Many faults at a time, by a seed, while clients of all daemons are at work; then peace, and a look at what they saw. */
import { setTimeout as delay } from 'node:timers/promises';
import { hostsAvailable, Random } from '@rookery/testkit';
import { describe, it } from 'vitest';
import { seedsToRun } from '../ring/seeds.ts';
import { type Cluster, startCluster, WIRINGS } from './cluster.ts';
import { type Fault, planFaults, type Strike } from './plan.ts';
import { startTraffic } from './traffic.ts';

const ROUND_S = 13;
const SECONDS = Number(process.env.ROOKERY_TEST_FAULT_SECONDS ?? 26);
/** Beside the faults: starting daemons, and finding peace again. */
const AROUND_MS = 120_000;

describe.skipIf(!hostsAvailable())('whatever fails at whatever time', () => {
  for (const seed of seedsToRun(Math.ceil(SECONDS / ROUND_S))) {
    const wiring = WIRINGS[seed % WIRINGS.length]!;
    const replay = `ROOKERY_TEST_SEED=${seed} npx vitest run --project bus test/faults/schedule`;
    it(`clients see what is promised: ${replay}`, { timeout: ROUND_S * 1000 + AROUND_MS }, async () => {
      const random = new Random(seed, 'faults');
      const plan = planFaults(random.fork('plan'), 3, ROUND_S * 1000);
      await using cluster = await startCluster(wiring);
      const traffic = await startTraffic({ cluster, random: random.fork('traffic'), actionsPerSecond: 500 });
      try {
        await Promise.all(plan.map((strikes) => carryOut(cluster, strikes)));
        await cluster.heal();
        const { sent, delivered, views, sessions } = await traffic.check();
        console.log(
          `seed ${seed}, ${wiring}: ${plan.flat().length} faults; ${sessions} sessions sent ${sent}, were given ${delivered} messages and ${views} views`,
        );
      } finally {
        await traffic.close();
      }
    });
  }
});

async function carryOut(cluster: Cluster, strikes: readonly Strike[]): Promise<void> {
  for (const { afterMs, fault, forMs } of strikes) {
    await delay(afterMs);
    const undo = await strike(cluster, fault);
    await delay(forMs);
    await undo();
  }
}

/** Resolves with what ends it. */
async function strike(cluster: Cluster, fault: Fault): Promise<() => unknown> {
  const { daemons, hosts } = cluster;
  switch (fault.kind) {
    case 'link':
      await hosts.host(fault.host).link('down');
      return () => hosts.host(fault.host).link('up');
    case 'stop':
      daemons[fault.host]!.pause();
      return () => daemons[fault.host]!.resume();
    case 'kill':
      await daemons[fault.host]!.kill();
      return () => daemons[fault.host]!.start();
    case 'one way':
      await hosts.host(fault.to).loss({ percent: 100, from: hosts.host(fault.from) });
      break;
    case 'deaf':
      await hosts.host(fault.host).loss({ percent: 100 });
      break;
    case 'mute': {
      const from = hosts.host(fault.host);
      await Promise.all(
        hosts.all.filter((host) => host !== from).map((host) => host.loss({ percent: 100, from })),
      );
      break;
    }
    case 'isolated':
      await cluster.isolate(hosts.host(fault.host));
      break;
    case 'lossy':
      await Promise.all(hosts.all.map((host) => host.loss({ percent: fault.percent })));
      break;
  }
  return () => cluster.clearLoss();
}
