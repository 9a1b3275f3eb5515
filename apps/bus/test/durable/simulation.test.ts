import { expect, it } from 'vitest';
import { seedsToRun } from '../ring/seeds.ts';
import { simulateDurable } from './simulation.ts';

it('keepers agree, and readers are given all once, whatever fails', { timeout: 24 * 3_600_000 }, async () => {
  const sum = { events: 0, given: 0, filled: 0, crashes: 0 };
  const seeds = seedsToRun(150);
  for (const seed of seeds) {
    try {
      const report = await simulateDurable(seed);
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += report[name];
    } catch (error) {
      throw new Error(
        `seed ${seed}: replay with ROOKERY_TEST_SEED=${seed} npx vitest run --project bus test/durable`,
        { cause: error },
      );
    }
  }
  console.log(`${seeds.length} seeds: ${JSON.stringify(sum)}`);
  expect(sum.events).toBeGreaterThan(0);
  if (seeds.length > 50) expect(sum.filled).toBeGreaterThan(0);
});
