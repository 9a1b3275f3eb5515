import { describe, expect, test } from 'vitest';
import { REGRESSIONS } from './regressions.ts';
import { type SimulationReport, simulate, simulateFlips } from './simulation.ts';

/** Replays one seed: ROOKERY_TEST_SEED=7. */
const only = process.env.ROOKERY_TEST_SEED;
/** How many seeds: ROOKERY_TEST_SEEDS=10000. */
const count = Number(process.env.ROOKERY_TEST_SEEDS ?? 1_000);
/** Flips need fewer: each runs a whole simulation before. */
const flipCount = Math.ceil(count / 4);
const timeoutMs = 60_000 + count * 200;

describe.skipIf(only === undefined)('one seed', () => {
  test(`replays seed ${only}`, async () => {
    const report = await simulate(Number(only));
    expect(await simulate(Number(only))).toEqual(report);
    await simulateFlips(Number(only));
  });
});

describe.skipIf(only !== undefined)('the log under simulated crashes', () => {
  test.each([...REGRESSIONS])('seed $seed: $why', async ({ seed }) => {
    await simulate(seed);
  });

  test(`keeps what it promised through ${count} seeds`, { timeout: timeoutMs }, async () => {
    const total: Record<string, number> = {};
    for (let seed = 1; seed <= count; seed++) add(total, await simulate(seed));
    tell(`${count} seeds`, total);
    // The workload must reach what it is meant to test.
    for (const key of Object.keys(total) as (keyof SimulationReport)[]) {
      expect(total[key], `${key} over ${count} seeds`).toBeGreaterThan(0);
    }
  });

  test(`loses only what flipped bits hit, in ${flipCount} seeds`, { timeout: timeoutMs }, async () => {
    const total: Record<string, number> = {};
    for (let seed = 1; seed <= flipCount; seed++) add(total, await simulateFlips(seed));
    tell(`${flipCount} seeds with flips`, total);
    expect(total.missing).toBeGreaterThan(0);
  });

  test('a seed gives the same run each time', async () => {
    for (const seed of [1, 2, 3]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});

function add(total: Record<string, number>, report: object): void {
  for (const [key, value] of Object.entries(report)) total[key] = (total[key] ?? 0) + value;
}

function tell(what: string, total: Record<string, number>): void {
  const figures = Object.entries(total).map(([key, value]) => `${key} ${value}`);
  process.stdout.write(`storage simulator, ${what}: ${figures.join(', ')}\n`);
}
