import { expect, it } from 'vitest';
import type { EngineOutput } from '../../src/engine/engine.ts';
import { Violation } from '../ring/history.ts';
import { seedsToRun } from '../ring/seeds.ts';
import type { DurableWorld } from './daemon.ts';
import { simulateDurable } from './simulation.ts';

/** Last values differed where a repeat was stored on both sides of a cut, and the merge broke in the middle. */
const REPEATED_ACROSS_CUTS = [383, 726, 1454, 1704, 1726, 1946];

it('keepers agree, and readers are given all once, whatever fails', { timeout: 24 * 3_600_000 }, async () => {
  const sum = { events: 0, given: 0, filled: 0, restated: 0, elsewhere: 0, crashes: 0, pressed: 0 };
  const seeds = [...REPEATED_ACROSS_CUTS, ...seedsToRun(60)];
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
  if (seeds.length > 50) expect(sum.restated).toBeGreaterThan(0);
  if (seeds.length > 50) expect(sum.pressed).toBeGreaterThan(0);
  if (seeds.length > 50) expect(sum.elsewhere).toBeGreaterThan(0);
});

/** Daemon 2 hears its ring wrongly. */
const SABOTAGES: Readonly<Record<string, () => DurableWorld['bend']>> = {
  'misses a message in a hundred': () => {
    let count = 0;
    return (output, daemon) => (daemon === 2 && isMessage(output) && count++ % 100 === 99 ? [] : [output]);
  },
  'hears two messages in a hundred in the wrong order': () => {
    let count = 0;
    let kept: EngineOutput | undefined;
    return (output, daemon) => {
      if (daemon !== 2 || !isMessage(output)) return [output];
      if (kept !== undefined) {
        const swapped = [output, kept];
        kept = undefined;
        return swapped;
      }
      if (count++ % 100 !== 99) return [output];
      kept = output;
      return [];
    };
  },
};

/** A message to groups is the first of the events of the groups. */
function isMessage(output: EngineOutput): boolean {
  return output.kind === 'deliver' && output.payload[0] === 1;
}

for (const [name, bend] of Object.entries(SABOTAGES)) {
  it(`the checker notices a keeper that ${name}`, { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 30; seed++) {
      try {
        await simulateDurable(seed, bend());
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        if (error.property === 'liveness') continue;
        console.log(`seed ${seed}: ${error.message.slice(0, 200)}`);
        return;
      }
    }
    expect.fail('nobody noticed');
  });
}
