import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { QuietCluster } from './quiet-cluster.ts';

it('mutated packets of its own ring never make a member throw or stay away', {
  timeout: 60_000,
}, async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const random = new Random(seed);
    const cluster = new QuietCluster(3, seed, { sequenceMax: 200_000 });
    await cluster.start();
    let mutated = 0;
    cluster.network.drops = (_from, to, bytes) => {
      if (!random.chance(0.1)) return false;
      const copy = Buffer.from(bytes);
      // Behind the header's version and type, so that most get past the decoder.
      for (let i = random.between(1, 3); i > 0; i--)
        copy[random.between(4, copy.length - 1)] = random.below(256);
      const cut = random.chance(0.05) ? random.below(copy.length) : copy.length;
      cluster.clock.schedule(() => cluster.member(to).inject(copy.subarray(0, cut)), 0.1);
      mutated++;
      return random.chance(0.5);
    };
    for (let at = 0; at < 2000; at += 5) {
      const member = cluster.member(1 + (at % 3));
      cluster.clock.schedule(() => member.submit('safe', random.between(4, 3000)), at);
    }
    // What a mutated packet delivers is nobody's message: only that nothing throws counts here.
    cluster.tolerateForgeries();
    await cluster.advance(2000);
    cluster.network.drops = undefined;
    await cluster.until(() => cluster.shared(cluster.members), 'one ring after the noise', 12_000);
    expect(mutated).toBeGreaterThan(50);
    for (const { ring } of cluster.members) expect(ring?.status.stats.badPackets).toBeLessThan(mutated);
  }
});
