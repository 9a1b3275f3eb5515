import { expect, test } from 'vitest';
import { SimulatedClock } from './clock.ts';

test('timers run in the order of their times, with all promises settled between', async () => {
  const clock = new SimulatedClock(1_000);
  const told: string[] = [];
  clock.setTimeout(() => told.push(`late at ${clock.now()}`), 20);
  clock.setTimeout(async () => {
    told.push(`early at ${clock.now()}`);
    for (let i = 0; i < 50; i++) await null;
    told.push('settled');
  }, 10);
  clock.setTimeout(() => told.push('next'), 10);
  await clock.advance(100);
  expect(told).toEqual(['early at 1010', 'settled', 'next', 'late at 1020']);
  expect(clock.now()).toBe(1_100);
});

test('what is deferred runs at the end of the turn, after all promises', async () => {
  const clock = new SimulatedClock();
  const told: string[] = [];
  clock.defer(() => told.push('deferred'));
  void Promise.resolve().then(() => told.push('promise'));
  expect(told).toEqual([]);
  await clock.turn();
  expect(told).toEqual(['promise', 'deferred']);
});

test('cancelled timers and ended lives are silent', async () => {
  const clock = new SimulatedClock();
  const told: string[] = [];
  clock.clearTimeout(clock.setTimeout(() => told.push('cancelled'), 5));
  const life = clock.life();
  life.setTimeout(() => told.push('dead'), 5);
  life.defer(() => told.push('dead'));
  life.end();
  await clock.runUntilIdle();
  expect(told).toEqual([]);
});

test('a jump moves the wall clock and no timer', async () => {
  const clock = new SimulatedClock(10_000);
  let ran = false;
  clock.setTimeout(() => {
    ran = true;
  }, 1_000);
  clock.jump(-5_000);
  expect(clock.now()).toBe(5_000);
  await clock.advance(999);
  expect(ran).toBe(false);
  await clock.advance(1);
  expect(ran).toBe(true);
});

test('run returns what the promise gives and says what it waited for when it never does', async () => {
  const clock = new SimulatedClock();
  const later = new Promise<string>((resolve) => clock.setTimeout(() => resolve('done'), 500));
  expect(await clock.run(later)).toBe('done');
  await expect(clock.run(Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  await expect(clock.run(new Promise(() => undefined), 'the reply')).rejects.toThrow('for the reply');
});

test('many events keep their order', async () => {
  const clock = new SimulatedClock();
  const times: number[] = [];
  for (let i = 0; i < 500; i++) clock.schedule(() => times.push(clock.elapsedMs), (i * 7_919) % 503);
  await clock.runUntilIdle();
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times).toHaveLength(500);
});
