import { expect, test } from 'vitest';
import { Random } from './random.ts';

test('a seed replays, another one differs', () => {
  const draw = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.uint32());
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(1)).not.toEqual(draw(2 ** 32 + 1));
});

test('numbers stay in their ranges and reach both ends', () => {
  const random = new Random(3);
  const seen = new Set<number>();
  for (let i = 0; i < 1_000; i++) seen.add(random.between(-2, 2));
  expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  for (let i = 0; i < 1_000; i++) expect(random.below(7)).toBeLessThan(7);
});

test('bits are even', () => {
  const random = new Random(5);
  const ones = new Array<number>(32).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const value = random.uint32();
    for (let bit = 0; bit < 32; bit++) ones[bit]! += (value >>> bit) & 1;
  }
  for (const count of ones) expect(Math.abs(count - 5_000)).toBeLessThan(250);
});

test('a fork does not depend on later draws', () => {
  const one = new Random(9);
  const two = new Random(9);
  const forkOfOne = one.fork('disk');
  const forkOfTwo = two.fork('disk');
  one.uint32();
  expect(forkOfOne.uint32()).toBe(forkOfTwo.uint32());
});

test('shuffle, pick, weighted and bytes', () => {
  const random = new Random(11);
  expect(random.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
  expect(() => random.pick([])).toThrow('empty');
  expect(random.bytes(7)).toHaveLength(7);
  for (let i = 0; i < 100; i++) expect(random.weighted({ never: 0, always: 1 })).toBe('always');
});
