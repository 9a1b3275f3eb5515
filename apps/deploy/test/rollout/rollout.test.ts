import { expect, test } from 'vitest';
import {
  allowedOf,
  parseMaxFailures,
  parseWaves,
  planWaves,
  type RolloutPlan,
} from '../../src/rollout/plan.ts';
import { createRollout, type Rollout } from '../../src/rollout/rollout.ts';
import type { RolloutCommand } from '../../src/rollout/types.ts';
import { type Build, simulate } from './simulator.ts';

const SEEDS = Number(process.env.ROOKERY_TEST_SEEDS ?? 1_000);
const REPLAYED = process.env.ROOKERY_TEST_SEED;

test('waves are numbers of hosts, rounded up, and end with all', () => {
  expect(planWaves(parseWaves('1,10%,100%'), 200)).toEqual([1, 20, 200]);
  expect(planWaves(parseWaves('1,10%'), 7)).toEqual([1, 7]);
  expect(planWaves(parseWaves('5, 50%'), 8)).toEqual([5, 8]);
  expect(planWaves([], 3)).toEqual([3]);
  for (const text of ['', '0', '1,x', '101%', '-1', '1.5']) expect(() => parseWaves(text)).toThrow(/--wave/);
});

test('a percentage of failures allows one, unless it is none', () => {
  expect([5, 10, 199].map((hosts) => allowedOf(parseMaxFailures('10%'), hosts))).toEqual([1, 1, 19]);
  expect(allowedOf(parseMaxFailures('0%'), 100)).toBe(0);
  expect(allowedOf(parseMaxFailures('3'), 100)).toBe(3);
  expect(() => parseMaxFailures('some')).toThrow(/--max-failures/);
});

test(`the promises hold over ${SEEDS} seeds`, { timeout: 600_000 }, () => {
  if (REPLAYED !== undefined) {
    simulate(Number(REPLAYED));
    return;
  }
  const seen = new Map<string, number>();
  let crashes = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = simulate(seed);
    crashes += result.crashes;
    for (const outcome of result.outcomes) seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  // A simulator in which nothing goes wrong would hold any promise.
  expect(crashes).toBeGreaterThan(SEEDS / 20);
  for (const outcome of ['deployed', 'partial', 'failed', 'stuck', 'cancelled']) {
    expect(seen.get(outcome) ?? 0, `${outcome} in ${JSON.stringify([...seen])}`).toBeGreaterThan(0);
  }
});

test('ten thousand hosts are no different', { timeout: 120_000 }, () => {
  for (let seed = 2; seed <= 3; seed++) expect(simulate(seed, createRollout, 10_000).hosts).toBe(10_000);
});

/** What a rollout would be with one rule left out. Each must be found. */
const SABOTAGED: Readonly<Record<string, Build>> = {
  'all hosts in one wave': (plan) => createRollout({ ...plan, waves: [plan.hosts.length] }),
  'failures are not counted': (plan) => createRollout({ ...plan, maxFailures: { count: plan.hosts.length } }),
  'time limits are not kept': (plan) => createRollout({ ...plan, timeoutMs: 1e12 }),
  'nothing is put back': (plan) => answering(plan, 'undo'),
  'health is not asked': (plan) => answering(plan, 'check'),
  'the release is not fetched': (plan) => answering(plan, 'fetch'),
  'hosts are not kept in the end': (plan) => answering(plan, 'finish'),
  'a host found half-way counts as done': (plan) =>
    seeing(plan, (event) =>
      event.type === 'done' && event.status !== undefined
        ? { ...event, status: { ...event.status, unfinished: null } }
        : event,
    ),
  'a failed health check counts as none': (plan) =>
    seeing(plan, (event) =>
      event.type === 'failed' && event.step === 'check'
        ? { type: 'done', host: event.host, step: 'check' }
        : event,
    ),
  'a host that can’t be put back is not named': (plan) => {
    const rollout = createRollout(plan);
    return {
      ...delegate(rollout),
      hosts: () =>
        rollout.hosts().map((host) => (host.state === 'stuck' ? { ...host, state: 'reverted' } : host)),
    };
  },
  'a locked host is passed over': (plan) =>
    seeing(plan, (event) =>
      event.type === 'failed' && event.code === 'locked' ? { ...event, code: 'unexpected' } : event,
    ),
};

test.for(Object.keys(SABOTAGED))('sabotage is found: %s', { timeout: 120_000 }, (name) => {
  let found: unknown;
  for (let seed = 1; seed <= 1_000 && found === undefined; seed++) {
    try {
      simulate(seed, SABOTAGED[name]);
    } catch (error) {
      found = error;
    }
  }
  expect(found).toMatchObject({ message: expect.stringMatching(/^ROOKERY_TEST_SEED=\d+: /) });
});

/** Says that a step is done, and doesn't have it done. */
function answering(plan: RolloutPlan, step: string): Rollout {
  const rollout = createRollout(plan);
  const through = (commands: readonly RolloutCommand[], now: number): RolloutCommand[] =>
    commands.flatMap((command) =>
      command.type === 'run' && command.step === step
        ? through(rollout.handle({ type: 'done', host: command.host, step: command.step }, now), now)
        : [command],
    );
  return { ...delegate(rollout), handle: (event, now) => through(rollout.handle(event, now), now) };
}

function seeing(
  plan: RolloutPlan,
  change: (event: Parameters<Rollout['handle']>[0]) => Parameters<Rollout['handle']>[0],
): Rollout {
  const rollout = createRollout(plan);
  return { ...delegate(rollout), handle: (event, now) => rollout.handle(change(event), now) };
}

function delegate(rollout: Rollout): Rollout {
  return {
    handle: (event, now) => rollout.handle(event, now),
    get wakeAt() {
      return rollout.wakeAt;
    },
    get outcome() {
      return rollout.outcome;
    },
    hosts: () => rollout.hosts(),
  };
}
