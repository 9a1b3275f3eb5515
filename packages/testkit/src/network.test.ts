import { describe, expect, it } from 'vitest';
import { SimulatedClock } from './clock.ts';
import { SimulatedNetwork, type SimulatedNetworkOptions } from './network.ts';
import { Random } from './random.ts';

function setUp(hosts: number, options: Partial<SimulatedNetworkOptions> = {}) {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, random: new Random(1), ...options });
  const heard: string[] = [];
  for (let id = 1; id <= hosts; id++) {
    network.attach(id, (bytes, from) => heard.push(`${from}>${id} ${Buffer.from(bytes).toString()}`));
  }
  return { clock, network, heard };
}

describe('the simulated network', () => {
  it('carries datagrams in order, within the delay, to all but the sender', async () => {
    const { clock, network, heard } = setUp(3, { delayMs: [1, 2] });
    for (let i = 0; i < 20; i++) network.multicast(1, Buffer.from(String(i)));
    await clock.advance(0.9);
    expect(heard).toEqual([]);
    await clock.advance(1.2);
    const expected = Array.from({ length: 20 }, (_, i) => `1>2 ${i}`);
    expect(heard.filter((line) => line.startsWith('1>2'))).toEqual(expected);
    expect(heard).toHaveLength(40);
  });

  it('loses, doubles and reorders as told', async () => {
    const { clock, network, heard } = setUp(2, { lossChance: 0.2, duplicateChance: 0.2, reorderChance: 0.3 });
    for (let i = 0; i < 1000; i++) network.send(1, 2, Buffer.from(String(i)));
    await clock.advance(20);
    const numbers = heard.map((line) => Number(line.slice(4)));
    expect(new Set(numbers).size).toBeGreaterThan(700);
    expect(new Set(numbers).size).toBeLessThan(900);
    expect(numbers.length).toBeGreaterThan(new Set(numbers).size + 80);
    expect(numbers.some((n, i) => i > 0 && n < numbers[i - 1]!)).toBe(true);
  });

  it('is cut in one direction, and into groups that overlap', async () => {
    const { clock, network, heard } = setUp(3);
    network.setReachable(1, 2, false);
    network.send(1, 2, Buffer.from('a'));
    network.send(2, 1, Buffer.from('b'));
    network.partition([
      [1, 2],
      [2, 3],
    ]);
    for (const id of [1, 2, 3]) network.multicast(id, Buffer.from('c'));
    await clock.advance(1);
    expect(heard.sort()).toEqual(['1>2 c', '2>1 b', '2>1 c', '2>3 c', '3>2 c']);
    network.heal();
    network.send(1, 3, Buffer.from('d'));
    await clock.advance(1);
    expect(heard).toContain('1>3 d');
  });

  it('bounds what is under way, and forgets it when a host is replaced', async () => {
    const { clock, network, heard } = setUp(2, { inFlightMax: 5 });
    for (let i = 0; i < 9; i++) network.send(1, 2, Buffer.from('x'));
    await clock.advance(1);
    expect(heard).toHaveLength(5);
    network.send(1, 2, Buffer.from('late'));
    network.attach(2, () => heard.push('new host'));
    await clock.advance(1);
    expect(heard).toHaveLength(5);
  });
});
