import { expect, test } from 'vitest';
import { segmentLimit } from './limits.ts';

const MIB = 2 ** 20;

test('a segment has room for eight snapshots, and no place in it that 32 bits can not tell', () => {
  expect(segmentLimit(64 * MIB, MIB)).toBe(64 * MIB);
  expect(segmentLimit(64 * MIB, 100 * MIB)).toBe(800 * MIB);
  // Some millions of streams.
  expect(segmentLimit(64 * MIB, 600 * MIB)).toBeLessThan(2 ** 32);
});
