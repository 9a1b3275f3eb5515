/** As in sabotage.test.ts, but nothing outside a ring shows this fault: a part of the ring is replaced. */
import { expect, it, vi } from 'vitest';
import { Violation } from './history.ts';
import { HALF_INSTALLED } from './plan.ts';
import { SimulationFailure, simulate } from './simulation.ts';

vi.mock('../../src/ring/membership/recovery.ts', async (original) => {
  const real = await original<typeof import('../../src/ring/membership/recovery.ts')>();
  const countInRecovery: typeof real.countInRecovery = (core, token, sequence) => {
    const counts = real.countInRecovery(core, token, sequence);
    core.installed.obligations = new Set();
    return counts;
  };
  return { ...real, countInRecovery };
});

const SEEDS_MAX = 400;

it('the checker notices a ring that forgets what it promised when the next ring fails', {
  timeout: 240_000,
}, async () => {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    try {
      await simulate(seed, { plan: HALF_INSTALLED });
    } catch (error) {
      if (!(error instanceof SimulationFailure) || !(error.cause instanceof Violation)) throw error;
      if (error.cause.property === '8 liveness') continue;
      console.log(`seed ${seed}: ${error.cause.message}`);
      return;
    }
  }
  expect.fail(`${SEEDS_MAX} seeds, and nobody noticed`);
});
