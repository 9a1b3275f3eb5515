import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/index.ts';
import { QuietCluster } from './quiet-cluster.ts';

it('a message of 16 MiB arrives whole, in its place, also when packets are lost', {
  timeout: 60_000,
}, async () => {
  const cluster = new QuietCluster(3, 1);
  await cluster.start();
  cluster.network.conditions = { ...cluster.network.conditions, lossChance: 0.01 };
  const { messageBytes } = DEFAULT_SETTINGS;
  expect(cluster.member(2).submit('safe', messageBytes + 1)).toBe(false);
  expect(cluster.member(2).submit('safe', messageBytes)).toBe(true);
  for (const { id } of cluster.members) cluster.member(id).submit('agreed', 100);
  const ms = await cluster.until(
    () => cluster.members.every(({ delivered }) => delivered === 4),
    'all four everywhere',
    60_000,
  );
  console.log(`16 MiB to three members with 1 % loss: ${Math.round(ms)} simulated ms`);
  cluster.check();
});

it('what waits is bounded, and accepted again when it has gone', async () => {
  const cluster = new QuietCluster(2, 1, { queueBytes: 20_000, messageBytes: 10_000 });
  await cluster.start();
  let accepted = 0;
  while (cluster.member(1).submit('agreed', 1000)) accepted++;
  expect(accepted).toBeGreaterThan(15);
  expect(accepted).toBeLessThan(80);
  await cluster.until(() => cluster.member(2).delivered === accepted, 'all delivered');
  expect(cluster.member(1).submit('agreed', 1000)).toBe(true);
  await cluster.until(() => cluster.member(2).delivered === accepted + 1, 'one more delivered');
  cluster.check();
});
