import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import type { Groups } from '../../src/groups/groups.ts';
import { OrderedNetwork } from '../client/flush/ordered-network.ts';

it('what a daemon brings into a configuration that ends before it is ordered does not count in the next one', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const network = new OrderedNetwork(random, 3);
    const daemons: Groups[] = [];
    for (const id of network.ids) {
      const session = network.connect(id, `s${id}`);
      network.act(id, (groups) => {
        daemons.push(groups);
        groups.join(session, 'g');
      });
    }
    for (let step = 0; step < 60; step++) {
      if (random.chance(0.85)) {
        network.step();
        continue;
      }
      const away = network.ids.filter(() => random.chance(0.5));
      const here = network.ids.filter((id) => !away.includes(id));
      network.split([away, here].filter((part) => part.length > 0));
    }
    network.split([network.ids]);
    while (network.step());
    for (const groups of daemons) {
      expect(groups.members('g'), `seed ${seed}`).toEqual(['#s1#d1', '#s2#d2', '#s3#d3']);
    }
  }
});
