/** How long clients wait for a new view, on real daemons and hosts. The figures are printed. */
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { hostsAvailable, Random } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, type HostDaemon, startCluster } from './cluster.ts';
import { startTraffic, type Traffic } from './traffic.ts';

const REPETITIONS = Number(process.env.ROOKERY_TEST_FAULT_REPETITIONS ?? 2);
/** What is promised, and how much more a machine may take that is busy with other tests. */
const LOST_MS = 500;
const MERGED_MS = 1000;
const BUSY_FACTOR = 3;
/** A host whose question for an address was lost asks again after so long: until then nothing goes to one host alone. */
const NEIGHBOUR_MS = 1000;
/** After a stop the test must have looked for a view for so long. */
const LOOKED_MS = 700;

describe.skipIf(!hostsAvailable())('three idle daemons', { timeout: 30_000 * REPETITIONS }, () => {
  let cluster: Cluster;
  let traffic: Traffic;
  const figures = new Map<string, number[]>();

  beforeAll(async () => {
    cluster = await startCluster('multicast');
    traffic = await startTraffic({
      cluster,
      random: new Random(1),
      actionsPerSecond: 0,
      clientsPerDaemon: 1,
    });
  }, 60_000);
  afterAll(async () => {
    for (const [what, values] of figures) {
      const sorted = values.toSorted((a, b) => a - b).map(Math.round);
      console.log(
        `${what}: median ${sorted[sorted.length >> 1]}, worst ${sorted.at(-1)} (of ${sorted.length})`,
      );
    }
    console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
    await traffic.close();
    await cluster[Symbol.asyncDispose]();
  }, 30_000);

  function note(what: string, value: number): number {
    figures.set(what, [...(figures.get(what) ?? []), value]);
    return value;
  }

  /** Each in turn is the one that is hit, the representative and others. */
  async function repeat(
    act: (hit: HostDaemon, others: readonly HostDaemon[]) => Promise<void>,
  ): Promise<void> {
    for (let i = 0; i < REPETITIONS; i++) {
      const hit = cluster.daemons[i % cluster.daemons.length]!;
      await act(
        hit,
        cluster.daemons.filter((daemon) => daemon !== hit),
      );
      // Anywhere in the rotation, and in the idle ring's pause.
      await delay(300 + 7.3 * i);
    }
  }

  /** Milliseconds since the fault until each of these was told of its new view. */
  async function since(startMs: number, daemons: readonly HostDaemon[]): Promise<number> {
    return (await traffic.untilTogether(daemons)) - startMs;
  }

  it('a link that goes down: new views on both sides; up again: one view', async () => {
    await repeat(async (hit, others) => {
      // The command's own time is in all that is done by one.
      const downMs = performance.now();
      const down = hit.host.link('down');
      const lost = await Promise.all([since(downMs, others), since(downMs, [hit]), down]);
      expect(note('link down: ms to the view of the others', lost[0])).toBeLessThan(LOST_MS * BUSY_FACTOR);
      expect(note('link down: ms to the view of the one cut off', lost[1])).toBeLessThan(
        LOST_MS * BUSY_FACTOR,
      );
      const upMs = performance.now();
      await hit.host.link('up');
      expect(
        note(
          'link up: ms to one view, with what hosts need to find each other',
          await since(upMs, cluster.daemons),
        ),
      ).toBeLessThan(MERGED_MS * BUSY_FACTOR + NEIGHBOUR_MS);
    });
  });

  it('all packets lost both ways: new views on both sides; none lost any more: one view', async () => {
    await repeat(async (hit, others) => {
      const cutMs = performance.now();
      const cut = cluster.isolate(hit.host);
      const lost = await Promise.all([since(cutMs, others), since(cutMs, [hit]), cut]);
      for (const ms of lost.slice(0, 2) as number[]) {
        expect(note('cut: ms to the views of both sides', ms)).toBeLessThan(LOST_MS * BUSY_FACTOR);
      }
      await delay(500);
      const healMs = performance.now();
      await cluster.clearLoss();
      const merged = await since(healMs, cluster.daemons);
      expect(note('healed: ms to one view', merged)).toBeLessThan(MERGED_MS * BUSY_FACTOR);
    });
  });

  it('a stopped daemon: a new view of the others; continued: one view', async () => {
    await repeat(async (hit, others) => {
      const stopMs = performance.now();
      hit.pause();
      const lost = await since(stopMs, others);
      expect(note('SIGSTOP: ms to the view of the others', lost)).toBeLessThan(LOST_MS * BUSY_FACTOR);
      await delay(500);
      const goMs = performance.now();
      hit.resume();
      const merged = await since(goMs, cluster.daemons);
      expect(note('SIGCONT: ms to one view', merged)).toBeLessThan(MERGED_MS * BUSY_FACTOR);
    });
  });

  it('a killed daemon: a new view of the others', async () => {
    await repeat(async (hit, others) => {
      const killMs = performance.now();
      const killed = hit.kill();
      const lost = await since(killMs, others);
      expect(note('SIGKILL: ms to the view of the others', lost)).toBeLessThan(LOST_MS * BUSY_FACTOR);
      await killed;
      await hit.start();
      const startedMs = performance.now();
      const merged = await since(startedMs, cluster.daemons);
      expect(note('started again: ms from its being ready to one view', merged)).toBeLessThan(
        MERGED_MS * BUSY_FACTOR,
      );
    });
  });

  it('a daemon that stops for 200 ms: no view', async () => {
    await repeat(async (hit) => {
      let stoppedMs: number;
      let startMs: number;
      // This process may have been kept from continuing it in time.
      do {
        await traffic.untilTogether(cluster.daemons);
        startMs = performance.now();
        hit.pause();
        await delay(200);
        hit.resume();
        stoppedMs = performance.now() - startMs;
        await delay(LOOKED_MS);
      } while (stoppedMs > 210);
      expect(note('SIGSTOP of 200 ms: views', traffic.networkViews(startMs))).toBe(0);
    });
  });
});
