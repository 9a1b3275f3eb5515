import { expect, test } from 'vitest';
import { turnsToAll } from './curve.ts';

test('the time of a transfer grows no faster than the logarithm of the hosts', () => {
  const pieces = 60;
  const sizes = [16, 32, 64, 128, 256, 512, 1_024];
  const turns = sizes.map((hosts) => turnsToAll(hosts, pieces, 7));
  // Each doubling adds about as much as the one before: a line over the logarithm, and far below one over the hosts.
  const steps = turns.slice(1).map((value, index) => value - turns[index]!);
  const first = (turns[3]! - turns[0]!) / 3;
  const last = (turns[6]! - turns[3]!) / 3;
  expect(last, `${turns}: ${steps}`).toBeLessThanOrEqual(Math.max(2, first) * 1.5);
  expect(turns[6]).toBeLessThan(3 * pieces);
});
