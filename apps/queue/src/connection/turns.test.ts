import { expect, test } from 'vitest';
import { type Backlogged, createTurns, type Turns } from './turns.ts';

/** An event loop in which time passes only by work: what is done in a turn, and how long it waits for others. */
function eventLoop() {
  let next: (() => void)[] = [];
  let now = 0;
  const turns: Turns = createTurns({ defer: (call) => next.push(call), now: () => now });
  /** A connection that never runs out of requests; a unit of its takes so many µs. */
  function greedy(unitUs = 1.5) {
    const seen = { units: 0, slices: 0, longestMs: 0, ms: 0 };
    const connection: Backlogged = {
      goOn(units) {
        const ms = (units * unitUs) / 1000;
        now += ms;
        seen.units += units;
        seen.slices += 1;
        seen.ms += ms;
        seen.longestMs = Math.max(seen.longestMs, ms);
        turns.standBack(connection);
        return units;
      },
    };
    turns.standBack(connection);
    return { seen, connection };
  }
  return {
    turns,
    greedy,
    /** One turn, in which the others work for so long; after it nothing happens for so long. */
    turn(othersMs: number, nothingMs = 0.005): void {
      if (othersMs > 0) {
        turns.worked();
        now += othersMs;
      }
      const calls = next;
      next = [];
      for (const call of calls) call();
      now += nothingMs;
    },
    get now() {
      return now;
    },
    get idle() {
      return next.length === 0;
    },
  };
}

test('however many stand back, they get a sixteenth of the time while others work, in equal parts', () => {
  const loop = eventLoop();
  const all = [loop.greedy(), loop.greedy(), loop.greedy()];
  while (loop.now < 1000) loop.turn(0.02);
  const each = all.map(({ seen }) => seen.ms);
  const total = each.reduce((sum, ms) => sum + ms, 0);
  expect(total).toBeGreaterThan(1000 / 20);
  expect(total).toBeLessThanOrEqual(1000 / 15);
  expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(0.1);
});

test('who asks for much with few words gets no more of the time', () => {
  const loop = eventLoop();
  const { seen } = loop.greedy(1000);
  while (loop.now < 10_000) loop.turn(0.02);
  expect(seen.ms).toBeGreaterThan(10_000 / 20);
  expect(seen.ms).toBeLessThanOrEqual(10_000 / 15);
});

test('while nobody else works, slices follow each other without a pause', () => {
  const loop = eventLoop();
  const { seen } = loop.greedy();
  for (let at = 0; at < 10; at += 1) loop.turn(0);
  expect(seen).toMatchObject({ slices: 10, units: 10 * 256 });
});

test('who comes now and then waits a little of the time that he was away, and the rest is not wasted', () => {
  const loop = eventLoop();
  const { seen } = loop.greedy();
  loop.turn(0.01);
  // Twenty times: half a millisecond of nothing, then somebody works for 10 µs.
  let away = 0;
  for (let at = 0; at < 20; at += 1) {
    const until = loop.now + 0.5;
    let begun = loop.now;
    while (loop.now < until) {
      begun = loop.now;
      loop.turn(0);
    }
    away = Math.max(away, loop.now - begun);
    loop.turn(0.01);
  }
  // A slice of a fifth of that, and what nothing takes in these turns.
  expect(away).toBeLessThan(0.5 / 5 + 0.01);
  expect(seen.ms / loop.now).toBeGreaterThan(0.5);
});

test('those who stand back share a slice', () => {
  const loop = eventLoop();
  const all = Array.from({ length: 8 }, () => loop.greedy());
  loop.turn(0);
  expect(all.map(({ seen }) => seen.units)).toEqual(Array(8).fill(32));
});

test('who is gone is forgotten, and nothing is left to do', () => {
  const loop = eventLoop();
  const { connection, seen } = loop.greedy();
  loop.turn(0);
  loop.turns.forget(connection);
  loop.turn(0);
  loop.turn(0);
  expect(seen.slices).toBe(1);
  expect(loop.idle).toBe(true);
});
