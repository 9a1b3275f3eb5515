import { describe, expect, it } from 'vitest';
import { Violation } from './history.ts';
import { SABOTAGES } from './sabotage.ts';
import { SimulationFailure, simulate } from './simulation.ts';

/** So many seeds may pass before a fault shows. */
const SEEDS_MAX = 1500;

describe('the checker notices a ring that', () => {
  for (const [name, bend] of Object.entries(SABOTAGES)) {
    it(name, { timeout: 120_000 }, async () => {
      for (let seed = 1; seed <= SEEDS_MAX; seed++) {
        try {
          await simulate(seed, bend);
        } catch (error) {
          if (!(error instanceof SimulationFailure) || !(error.cause instanceof Violation)) throw error;
          // That it is stuck isn't enough: it must be seen to break its word.
          if (error.cause.property === '8 liveness') continue;
          console.log(`seed ${seed}: ${error.cause.message}`);
          return;
        }
      }
      expect.fail(`${SEEDS_MAX} seeds, and nobody noticed`);
    });
  }
});
