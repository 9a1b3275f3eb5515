import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RangeSet } from './ranges.ts';

const small = fc.integer({ min: 1, max: 60 });
const change = fc.oneof(
  small.map((at) => ({ first: at, last: at })),
  fc.tuple(small, fc.nat(12)).map(([first, more]) => ({ first, last: first + more })),
);

function members(set: RangeSet): number[] {
  const all: number[] = [];
  for (let at = 0; at < set.length; at++) {
    for (let member = set.first(at); member <= set.last(at); member++) all.push(member);
  }
  return all;
}

test('is the plain set of its members, in the fewest ranges', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.array(small), (changes, other) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const { first, last } of changes) {
        if (first === last) expect(set.add(first)).toBe(!model.has(first));
        else set.addRange(first, last);
        for (let member = first; member <= last; member++) model.add(member);
        // Asked in between, so that what it remembers of the last question is put to the test.
        expect(set.has(last)).toBe(true);
        expect(set.nextAbsent(1)).toBe(absentFrom(model, 1));
      }
      expect(members(set)).toEqual([...model].sort((left, right) => left - right));
      for (let at = 1; at < set.length; at++) expect(set.first(at)).toBeGreaterThan(set.last(at - 1) + 1);
      expect(set.highest).toBe(Math.max(0, ...model));
      for (let at = 1; at < 80; at++) {
        expect(set.has(at)).toBe(model.has(at));
        expect(set.nextAbsent(at)).toBe(absentFrom(model, at));
        expect(set.covers(at, at + 3)).toBe([0, 1, 2, 3].every((more) => model.has(at + more)));
        expect(set.overlaps(at, at + 3)).toBe([0, 1, 2, 3].some((more) => model.has(at + more)));
      }
      const away = new RangeSet();
      for (const member of other) away.add(member);
      expect(members(set.without(away))).toEqual(members(set).filter((member) => !other.includes(member)));
      set.clear();
      expect(set.length).toBe(0);
      expect(set.has(1)).toBe(false);
    }),
  );
});

test('what is consumed in order is one range', () => {
  const set = new RangeSet();
  for (let sequence = 1; sequence <= 100_000; sequence++) set.add(sequence);
  expect(set.length).toBe(1);
});

function absentFrom(model: ReadonlySet<number>, from: number): number {
  let at = from;
  while (model.has(at)) at++;
  return at;
}
