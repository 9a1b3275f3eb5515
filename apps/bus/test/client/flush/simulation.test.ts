import { expect, it } from 'vitest';
import { wrap } from '../../../src/client/flush/envelope.ts';
import { seedsToRun } from '../../ring/seeds.ts';
import { Violation } from './checker.ts';
import { type Bend, simulateFlush } from './simulation.ts';

it('rooms are virtually synchronous, whoever parts and meets', { timeout: 24 * 3_600_000 }, () => {
  const sum = { views: 0, messages: 0 };
  const seeds = seedsToRun(1000);
  for (const seed of seeds) {
    try {
      const { views, messages } = simulateFlush(seed);
      sum.views += views;
      sum.messages += messages;
    } catch (error) {
      throw new Error(`seed ${seed}: replay with ROOKERY_TEST_SEED=${seed}`, { cause: error });
    }
  }
  console.log(`${seeds.length} seeds: ${sum.views} views, ${sum.messages} messages`);
  expect(sum.messages).toBeGreaterThan(0);
});

/** What is wrong with one member, or all. */
const SABOTAGES: Readonly<Record<string, Bend>> = {
  'misses a message in twenty': (told, member, random) =>
    member.startsWith('#m1#') && told.kind === 'message' && random.chance(0.05) ? [] : [told],
  'does not wait for the others': (told) =>
    told.kind === 'view'
      ? [
          told,
          ...told.members.map((sender) => ({
            kind: 'message' as const,
            sender,
            groups: [told.group],
            service: 'agreed' as const,
            messageType: 0,
            key: '',
            data: wrap('ok', told.id, new Uint8Array(0)),
            text: '',
          })),
        ]
      : [told],
  'misses one in three views of the network': (told, _member, random) =>
    told.kind === 'view' && told.cause === 'network' && random.chance(0.3) ? [] : [told],
};

for (const [name, bend] of Object.entries(SABOTAGES)) {
  it(`the checker notices a member that ${name}`, { timeout: 60_000 }, () => {
    for (let seed = 1; seed <= 300; seed++) {
      try {
        simulateFlush(seed, bend);
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
