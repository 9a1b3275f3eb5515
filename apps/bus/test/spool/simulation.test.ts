import { describe, expect, test } from 'vitest';
import { type Sabotage, type SpoolReport, simulateSpool } from './simulation.ts';

/** Replays one seed: ROOKERY_TEST_SEED=7. */
const only = process.env.ROOKERY_TEST_SEED;
/** How many seeds: ROOKERY_TEST_SEEDS=10000. */
const count = Number(process.env.ROOKERY_TEST_SEEDS ?? 60);

async function run(seed: number, sabotage?: Sabotage): Promise<SpoolReport> {
  try {
    return await simulateSpool(seed, sabotage);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

test.skipIf(only === undefined)(`replays seed ${only}`, async () => {
  expect(await run(Number(only))).toEqual(await run(Number(only)));
});

describe.skipIf(only !== undefined)('a publisher’s spool', () => {
  test(`brings all it promised, in order and none twice, through ${count} seeds`, {
    timeout: 60_000 + count * 200,
  }, async () => {
    const total: Record<string, number> = {};
    for (let seed = 1; seed <= count; seed++) {
      for (const [name, value] of Object.entries(await run(seed))) total[name] = (total[name] ?? 0) + value;
    }
    process.stdout.write(`spool simulator, ${count} seeds: ${JSON.stringify(total)}\n`);
    // The workload must reach what it is meant to test.
    for (const [name, value] of Object.entries(total)) expect(value, name).toBeGreaterThan(0);
  });

  test.each(['no-numbers', 'send-before-written', 'confirm-unordered'] as const)(
    'the simulation notices %s',
    async (sabotage) => {
      const failures: string[] = [];
      for (let seed = 1; seed <= 30 && failures.length === 0; seed++) {
        await run(seed, sabotage).catch((error: Error) => failures.push(error.message));
      }
      expect(failures[0]).toMatch(/out of order, or twice|never came|which was promised/);
    },
    60_000,
  );
});
