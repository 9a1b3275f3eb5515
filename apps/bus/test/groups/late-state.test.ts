import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import type { EngineOutput } from '../../src/engine/engine.ts';
import { Groups } from '../../src/groups/groups.ts';
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

it('however often the configuration changes, one state at a time waits for the ring', () => {
  const groups = new Groups({ id: 1, name: 'd1' });
  const queue: Buffer[] = [];
  const hear = (output: EngineOutput) => {
    groups.onRing(output);
    for (const one of groups.take()) if (one.kind === 'submit') queue.push(one.payload);
  };
  let order = 0;
  const deliver = (payload: Buffer) =>
    hear({ kind: 'deliver', sender: 1, service: 'agreed', order: order++, payload });
  const session = groups.connect('s', true)!;
  groups.join(session, 'g');
  for (const one of groups.take()) if (one.kind === 'submit') deliver(one.payload);
  for (let sequence = 1; sequence <= 20; sequence++) {
    const ring = { representative: 1, sequence };
    const previous = sequence === 1 ? undefined : { representative: 1, sequence: sequence - 1 };
    if (previous !== undefined)
      hear({ kind: 'configuration', configuration: { kind: 'transitional', ring, previous, members: [1] } });
    hear({ kind: 'configuration', configuration: { kind: 'regular', ring, previous, members: [1] } });
  }
  expect(queue).toHaveLength(1);
  deliver(queue.shift()!);
  // That was of the first configuration; what is brought into the last one follows.
  expect(queue).toHaveLength(1);
  deliver(queue.shift()!);
  expect(queue).toHaveLength(0);
  groups.join(session, 'h');
  for (const one of groups.take()) if (one.kind === 'submit') deliver(one.payload);
  expect([groups.members('g'), groups.members('h')]).toEqual([[session], [session]]);
});
