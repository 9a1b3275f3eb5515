import { describe, expect, it } from 'vitest';
import { REGRESSIONS, seedsToRun } from './seeds.ts';
import { simulate } from './simulation.ts';

/** In CI; about 25 ms each. More: ROOKERY_TEST_SEEDS. */
const SEEDS = 1000;

describe('simulated clusters', () => {
  it.runIf(process.env.ROOKERY_TEST_SEED === undefined)(
    'still keep every promise under seeds that failed once',
    async () => {
      for (const seed of REGRESSIONS) await simulate(seed);
    },
    60_000,
  );

  it(
    'keep every promise, whatever fails',
    async () => {
      const seeds = seedsToRun(SEEDS);
      const mergedMs: number[] = [];
      const sum = { seconds: 0, deliveries: 0, configurations: 0 };
      for (const seed of seeds) {
        const report = await simulate(seed);
        mergedMs.push(report.mergedMs);
        sum.seconds += report.simulatedMs / 1000;
        sum.deliveries += report.delivered;
        sum.configurations += report.installed;
      }
      mergedMs.sort((a, b) => a - b);
      const at = (share: number) => mergedMs[Math.floor((mergedMs.length - 1) * share)];
      console.log(
        `${seeds.length} seeds: ${Math.round(sum.seconds)} simulated s, ${sum.deliveries} deliveries, ` +
          `${sum.configurations} configurations; one ring after peace in p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
      );
      expect(sum.deliveries).toBeGreaterThan(0);
    },
    24 * 3_600_000,
  );

  it('run the same way each time under one seed', async () => {
    for (const seed of [1, 2, 3]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});
