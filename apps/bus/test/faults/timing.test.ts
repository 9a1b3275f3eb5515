/** How long clients wait for a new view, on real daemons and hosts. The figures are printed. */
import { loadavg } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { hostsAvailable, Random } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, type HostDaemon, startCluster, stopFor } from './cluster.ts';
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

/** A measurement during which this process was never held up for longer: then the machine had time for daemons too. */
const CALM_MS = 30;

interface Figure {
  readonly value: number;
  /** The best of all repetitions is below. */
  readonly limit: number;
  readonly calm: boolean;
}

describe.skipIf(!hostsAvailable())('three idle daemons', { timeout: 60_000 * REPETITIONS }, () => {
  let cluster: Cluster;
  let traffic: Traffic;
  const measured = new Map<string, Figure[]>();
  const loop = monitorEventLoopDelay({ resolution: 5 });

  beforeAll(async () => {
    loop.enable();
    cluster = await startCluster('multicast');
    traffic = await startTraffic({
      cluster,
      random: new Random(1),
      actionsPerSecond: 0,
      clientsPerDaemon: 1,
    });
  });
  afterAll(async () => {
    loop.disable();
    for (const [what, figures] of measured) {
      console.log(`${what}: ${told(figures)}; calm: ${told(figures.filter(({ calm }) => calm))}`);
    }
    console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
    await traffic.close();
    await cluster[Symbol.asyncDispose]();
  });
  afterEach(() => cluster.heal());

  function note(what: string, value: number, limit: number): void {
    const figure = { value, limit, calm: loop.max / 1e6 < CALM_MS };
    measured.set(what, [...(measured.get(what) ?? []), figure]);
  }

  /** What was never as quick as it must be. */
  function tooSlow(): string[] {
    return [...measured].flatMap(([what, figures]) =>
      figures.some(({ value, limit }) => value < limit) ? [] : [`${what}: ${told(figures)}`],
    );
  }

  /** Each in turn is the one that is hit, the representative and others. */
  async function repeat(
    act: (hit: HostDaemon, others: readonly HostDaemon[]) => Promise<void>,
  ): Promise<void> {
    // A busy machine may spoil some: then there are more of them.
    for (let i = 0; i < REPETITIONS || (i < 4 * REPETITIONS && tooSlow().length > 0); i++) {
      const hit = cluster.daemons[i % cluster.daemons.length]!;
      await act(
        hit,
        cluster.daemons.filter((daemon) => daemon !== hit),
      );
      // Anywhere in the rotation, and in the idle ring's pause.
      await delay(300 + 7.3 * i);
    }
    expect(tooSlow()).toEqual([]);
  }

  /** Milliseconds since the fault until each of these was told of its new view. */
  async function since(startMs: number, daemons: readonly HostDaemon[]): Promise<number> {
    loop.reset();
    return (await traffic.untilTogether(daemons)) - startMs;
  }

  it('a link that goes down: new views on both sides; up again: one view', async () => {
    await repeat(async (hit, others) => {
      // The command's own time is in all that is done by one.
      const downMs = performance.now();
      const down = hit.host.link('down');
      const lost = await Promise.all([since(downMs, others), since(downMs, [hit]), down]);
      note('link down: ms to the view of the others', lost[0], LOST_MS * BUSY_FACTOR);
      note('link down: ms to the view of the one cut off', lost[1], LOST_MS * BUSY_FACTOR);
      const upMs = performance.now();
      await hit.host.link('up');
      const merged = await since(upMs, cluster.daemons);
      const what = 'link up: ms to one view, with what hosts need to find each other';
      note(what, merged, MERGED_MS * BUSY_FACTOR + NEIGHBOUR_MS);
    });
  });

  it('all packets lost both ways: new views on both sides; none lost any more: one view', async () => {
    await repeat(async (hit, others) => {
      const cutMs = performance.now();
      const cut = cluster.isolate(hit.host);
      const lost = await Promise.all([since(cutMs, others), since(cutMs, [hit]), cut]);
      for (const ms of lost.slice(0, 2) as number[]) {
        note('cut: ms to the views of both sides', ms, LOST_MS * BUSY_FACTOR);
      }
      await delay(500);
      const healMs = performance.now();
      await cluster.clearLoss();
      const merged = await since(healMs, cluster.daemons);
      note('healed: ms to one view', merged, MERGED_MS * BUSY_FACTOR);
    });
  });

  it('a stopped daemon: a new view of the others; continued: one view', async () => {
    await repeat(async (hit, others) => {
      const stopMs = performance.now();
      hit.pause();
      const lost = await since(stopMs, others);
      note('SIGSTOP: ms to the view of the others', lost, LOST_MS * BUSY_FACTOR);
      await delay(500);
      const goMs = performance.now();
      hit.resume();
      const merged = await since(goMs, cluster.daemons);
      note('SIGCONT: ms to one view', merged, MERGED_MS * BUSY_FACTOR);
    });
  });

  it('a killed daemon: a new view of the others', async () => {
    await repeat(async (hit, others) => {
      const killMs = performance.now();
      const killed = hit.kill();
      const lost = await since(killMs, others);
      note('SIGKILL: ms to the view of the others', lost, LOST_MS * BUSY_FACTOR);
      await killed;
      await hit.start();
      const startedMs = performance.now();
      const merged = await since(startedMs, cluster.daemons);
      note('started again: ms from its being ready to one view', merged, MERGED_MS * BUSY_FACTOR);
    });
  });

  it('a daemon that stops for 200 ms: no view', async () => {
    await repeat(async (hit) => {
      let startMs: number;
      do {
        await traffic.untilTogether(cluster.daemons);
        startMs = performance.now();
        // This process may itself have been kept from continuing it in time.
      } while ((await stopFor(hit, 200)) > 210);
      await delay(LOOKED_MS);
      note('SIGSTOP of 200 ms: views', traffic.networkViews(startMs), 1);
    });
  });
});

function told(figures: readonly Figure[]): string {
  if (figures.length === 0) return 'none';
  const sorted = figures.map(({ value }) => Math.round(value)).sort((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1]}, worst ${sorted.at(-1)} (of ${sorted.length})`;
}
