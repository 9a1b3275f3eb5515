/** How fast the ring is with its defaults, in simulated time. Each figure is the worst of several seeds. */
import { describe, expect, it } from 'vitest';
import { QuietCluster } from './quiet-cluster.ts';

const SIZES = [3, 8, 16];
const SEEDS = [1, 2, 3, 4, 5];

async function worst(size: number, measure: (cluster: QuietCluster) => Promise<number>): Promise<number> {
  let most = 0;
  for (const seed of SEEDS) {
    const cluster = new QuietCluster(size, seed);
    await cluster.start();
    // Anywhere in the rotation, and in the idle ring's pause.
    await cluster.advance(500 + seed * 7.3);
    most = Math.max(most, await measure(cluster));
    cluster.check();
  }
  return most;
}

describe('with its defaults', () => {
  it.each(SIZES)('a ring of %i is one without a dead host in under 500 ms', async (size) => {
    const ms = await worst(size, async (cluster) => {
      // The representative, which keeps the idle token, and others.
      const dead = 1 + (Math.floor(cluster.clock.elapsedMs) % size);
      const rest = cluster.members.filter(({ id }) => id !== dead);
      cluster.member(dead).crash();
      return cluster.until(() => cluster.shared(rest), 'a ring of the rest');
    });
    console.log(`dead host, ${size} members: new view in ${ms} ms`);
    expect(ms).toBeLessThan(500);
  });

  it.each(SIZES)(
    'both sides of a cut through %i have their ring in under 500 ms, and merge in under 1 s without traffic',
    async (size) => {
      let cutMs = 0;
      const mergeMs = await worst(size, async (cluster) => {
        const sides = [0, 1].map((rest) => cluster.members.filter(({ id }) => id % 2 === rest));
        cluster.network.partition(sides.map((side) => side.map(({ id }) => id)));
        cutMs = Math.max(
          cutMs,
          await cluster.until(() => sides.every((side) => cluster.shared(side)), 'a ring on each side'),
        );
        await cluster.advance(5_000);
        cluster.network.heal();
        return cluster.until(() => cluster.shared(cluster.members), 'one ring');
      });
      console.log(`cut, ${size} members: new views in ${cutMs} ms; healed: one view in ${mergeMs} ms`);
      expect(cutMs).toBeLessThan(500);
      expect(mergeMs).toBeLessThan(1000);
    },
  );

  it.each(SIZES)(
    'a process of %i that stops for 200 ms causes no view change, idle or busy',
    async (size) => {
      for (const busy of [false, true]) {
        await worst(size, async (cluster) => {
          const before = cluster.installed;
          for (const [index, member] of cluster.members.entries()) {
            cluster.clock.schedule(() => member.stop(), index * 700);
            cluster.clock.schedule(() => member.resume(), index * 700 + 200);
          }
          if (busy) {
            for (let at = 0; at < size * 700; at += 5) {
              cluster.clock.schedule(() => cluster.member(1 + (at % size)).submit('safe', 300), at);
            }
          }
          await cluster.advance(size * 700 + 500);
          expect(cluster.installed).toBe(before);
          return 0;
        });
      }
    },
  );

  it('a message is delivered everywhere in a few network delays, also when the ring was idle', async () => {
    for (const service of ['agreed', 'safe'] as const) {
      const ms = await worst(3, async (cluster) => {
        let most = 0;
        for (let i = 0; i < 50; i++) {
          await cluster.advance(61);
          const member = cluster.member(1 + (i % 3));
          const expected = cluster.members.map(({ delivered }) => delivered + 1);
          member.submit(service, 100);
          const fromMs = cluster.clock.elapsedMs;
          while (!cluster.members.every(({ delivered }, index) => delivered >= expected[index]!)) {
            await cluster.advance(0.1);
            if (cluster.clock.elapsedMs - fromMs > 1000) throw new Error('not delivered');
          }
          most = Math.max(most, cluster.clock.elapsedMs - fromMs);
        }
        return most;
      });
      console.log(
        `${service}, 3 members, idle: delivered by all in ${ms.toFixed(1)} ms at most (delays of 0.05 to 0.25 ms)`,
      );
      expect(ms).toBeLessThan(5);
    }
  });
});
