import { expect, test } from 'vitest';
import { type Backlogged, createTurns, type Turns } from './turns.ts';

/** A connection that never runs out of requests; tells how many units it had. */
function greedy(turns: Turns, cost = 1) {
  const seen = { units: 0, slices: 0 };
  const connection: Backlogged = {
    goOn(units) {
      const done = Math.ceil(units / cost) * cost;
      seen.units += done;
      seen.slices += 1;
      turns.standBack(connection);
      return done;
    },
  };
  turns.standBack(connection);
  return { seen, connection };
}

function eventLoop() {
  let next: (() => void)[] = [];
  const turns = createTurns((call) => next.push(call));
  return {
    turns,
    /** One turn, in which the others carry out so many units. */
    turn(others: number): void {
      turns.worked(others);
      const now = next;
      next = [];
      for (const call of now) call();
    },
    get idle() {
      return next.length === 0;
    },
  };
}

test('while others are active, all that stand back get a quarter of their units', () => {
  const { turns, turn } = eventLoop();
  const all = [greedy(turns), greedy(turns), greedy(turns)];
  for (let at = 0; at < 10_000; at += 1) turn(10);
  const units = all.map(({ seen }) => seen.units);
  expect(units[0]! + units[1]! + units[2]!).toBeGreaterThan(20_000);
  expect(units[0]! + units[1]! + units[2]!).toBeLessThanOrEqual(25_100);
  expect(Math.max(...units) - Math.min(...units)).toBeLessThanOrEqual(32);
});

test('heavy requests count as what they are', () => {
  const { turns, turn } = eventLoop();
  const heavy = greedy(turns, 1000);
  for (let at = 0; at < 10_000; at += 1) turn(10);
  expect(heavy.seen.units).toBeLessThanOrEqual(26_000);
  expect(heavy.seen.units).toBeGreaterThan(15_000);
});

test('while nobody else is active a connection goes on without a pause, in growing slices', () => {
  const { turns, turn } = eventLoop();
  const only = greedy(turns);
  for (let at = 0; at < 10; at += 1) turn(0);
  expect(only.seen).toEqual({ slices: 10, units: 8 + 16 + 32 + 64 + 128 + 5 * 256 });
  turn(1);
  turn(0);
  expect(only.seen.units).toBe(8 + 16 + 32 + 64 + 128 + 5 * 256 + 8);
});

test('who is gone is forgotten, and nothing is left to do', () => {
  const { turns, turn, ...loop } = eventLoop();
  const { connection, seen } = greedy(turns);
  turn(0);
  turns.forget(connection);
  turn(0);
  turn(0);
  expect(seen.slices).toBe(1);
  expect(loop.idle).toBe(true);
});
