import { expect, test } from 'vitest';
import { createIdWindow } from './id-window.ts';

const limits = { deduplicationWindowMs: 1000, deduplicationWindowItems: 3 };
const kept = (mark: number, at = mark) => ({ id: `id${mark}`, at, mark });

test('knows the last ids, by number and by time', () => {
  const window = createIdWindow([], () => limits);
  for (const mark of [1, 2, 3, 4]) window.add(kept(mark));
  expect([1, 2, 3, 4].map((mark) => window.has(`id${mark}`, 10))).toEqual([false, true, true, true]);
  expect([window.has('id2', 1001), window.has('id2', 1002)]).toEqual([true, false]);
});

test('begins with what is found, cut to its limits as they are now', () => {
  const found = [1, 2, 3, 4, 5].map((mark) => kept(mark));
  const window = createIdWindow(found, () => limits);
  expect([window.size, window.has('id2', 10), window.has('id3', 10)]).toEqual([3, false, true]);
});

test('an id that comes again after its time stands behind the others', () => {
  const window = createIdWindow([], () => limits);
  for (const mark of [1, 2, 3]) window.add(kept(mark));
  window.add({ id: 'id1', at: 2000, mark: 4 });
  window.add(kept(5, 2000));
  expect([window.has('id1', 2000), window.has('id2', 2000)]).toEqual([true, false]);
});

test('tells the store what it may forget when that is worth a record, and when nothing is left', () => {
  const window = createIdWindow([], () => limits);
  for (let mark = 1; mark <= 10; mark += 1) window.add(kept(mark));
  expect(window.trim(11)).toBe(0);
  for (let mark = 11; mark <= 100; mark += 1) window.add(kept(mark, 100));
  expect(window.trim(100)).toBe(97);
  expect(window.trim(100)).toBe(0);
  expect(window.trim(2000)).toBe(100);
  expect([window.size, window.trim(3000)]).toEqual([0, 0]);
});
