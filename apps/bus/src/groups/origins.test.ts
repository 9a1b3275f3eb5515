import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { Origins } from './origins.ts';

const publisher = 'a'.repeat(32);

it('knows exactly what was there, in whatever order it came', () => {
  const random = new Random(7, 'origins');
  const origins = new Origins();
  const seen = new Set<number>();
  for (let turn = 0; turn < 2000; turn++) {
    const sequence = random.between(1, 100);
    expect(origins.add({ publisher, sequence }, false)).toBe(!seen.has(sequence));
    seen.add(sequence);
  }
});

it('a publisher that also sends elsewhere leaves gaps; below the lowest range what is live repeats, what is late is new', () => {
  const origins = new Origins();
  for (let sequence = 1; sequence <= 1001; sequence += 2) {
    expect(origins.add({ publisher, sequence }, false)).toBe(true);
  }
  expect(origins.add({ publisher, sequence: 1001 }, true)).toBe(false);
  expect(origins.add({ publisher, sequence: 2 }, false)).toBe(false);
  expect(origins.add({ publisher, sequence: 2 }, true)).toBe(true);
});

it('who was silent longest is forgotten', () => {
  const origins = new Origins(2);
  const of = (digit: string) => ({ publisher: digit.repeat(32), sequence: 1 });
  for (const digit of ['a', 'b']) origins.add(of(digit), false);
  origins.add(of('a'), false);
  origins.add(of('c'), false);
  expect(origins.size).toBe(2);
  expect(origins.add(of('a'), false)).toBe(false);
  expect(origins.add(of('b'), false)).toBe(true);
});
