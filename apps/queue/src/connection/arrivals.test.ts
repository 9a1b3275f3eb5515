import { systemClock } from '@rookery/storage';
import { SimulatedClock } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { createArrivals } from './arrivals.ts';

const input = Buffer.from('get a\r\n');

test('what comes in one turn is carried out in its order, and then what is deferred', async () => {
  const clock = new SimulatedClock();
  const arrivals = createArrivals(clock);
  const seen: string[] = [];
  const arrive = (name: string): void => {
    const at = arrivals.keep(
      {
        carryOut: () => {
          seen.push(`${name} ${arrivals.bytes.toString('latin1', at, at + name.length)}`);
          arrivals.clock.defer(() => seen.push(`after ${name}`));
        },
      },
      Buffer.from(`${name} and more`),
      name.length,
    );
  };
  arrivals.clock.defer(() => seen.push('deferred before'));
  arrive('a');
  arrive('a name of more bytes than a loop copies');
  expect(seen).toEqual([]);
  await clock.turn();
  expect(seen).toEqual([
    'a a',
    'a name of more bytes than a loop copies a name of more bytes than a loop copies',
    'after a',
    'after a name of more bytes than a loop copies',
    'deferred before',
  ]);
});

test('what is deferred after a turn comes behind what arrives in the next', async () => {
  const arrivals = createArrivals(systemClock);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const seen: string[] = [];
  arrivals.keep({ carryOut: () => seen.push('first') }, input, input.length);
  arrivals.clock.defer(() => arrivals.clock.defer(() => seen.push('next turn')));
  await turn();
  expect(seen).toEqual(['first']);
  arrivals.keep({ carryOut: () => seen.push('second') }, input, input.length);
  await turn();
  expect(seen).toEqual(['first', 'second', 'next turn']);
});

test('there is room for 64 KiB a turn, all of it anew in the next', async () => {
  const clock = new SimulatedClock();
  const arrivals = createArrivals(clock);
  const connection = { carryOut: () => undefined };
  const large = Buffer.alloc(64 * 1024);
  expect(arrivals.keep(connection, input, input.length)).toBe(0);
  expect(arrivals.keep(connection, large, large.length)).toBe(-1);
  expect(arrivals.keep(connection, input, input.length)).toBe(input.length);
  await clock.turn();
  expect(arrivals.keep(connection, large, large.length)).toBe(0);
});
