import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryStore } from '../store/memory-store.ts';
import type { Message } from '../store/store.ts';
import { createWindow, type WindowBudget } from './window.ts';

const lane = new MemoryStore().createQueue('q', '').main;

const message = (sequence: number): Message => {
  const bytes = sequence % 7;
  return {
    sequence,
    flags: 0,
    addedAt: 0,
    expiresAt: 0,
    position: 0,
    buffer: Buffer.alloc(bytes),
    start: 0,
    end: bytes,
    lane,
    carried: undefined,
  };
};

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('append' as const), many: fc.integer({ min: 1, max: 50 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('shift' as const), many: fc.integer({ min: 1, max: 60 }) }),
  },
  // Gives back one of those that were taken, whichever.
  { weight: 4, arbitrary: fc.record({ do: fc.constant('putBack' as const), many: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), many: fc.constant(0) }) },
);

test('whatever is taken and given back, messages come in the order of their sequences', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
      const budget: WindowBudget = { bodyBytes: 0, limit: 1e9 };
      const window = createWindow(budget);
      let next = 1;
      let model: number[] = [];
      let taken: number[] = [];
      for (const { do: what, many } of operations) {
        if (what === 'append') {
          for (let index = 0; index < many; index += 1) {
            window.append(message(next));
            model.push(next);
            next += 1;
          }
        } else if (what === 'shift') {
          for (let index = 0; index < many; index += 1) {
            const found = window.shift();
            expect(found?.sequence).toBe(model.shift());
            if (found !== undefined) taken.push(found.sequence);
          }
        } else if (what === 'putBack') {
          const [sequence] = taken.splice(many % Math.max(1, taken.length), 1);
          if (sequence === undefined) continue;
          window.putBack(message(sequence));
          model = [...model, sequence].sort((a, b) => a - b);
        } else {
          window.clear();
          model = [];
          taken = [];
        }
        expect(window.first()?.sequence).toBe(model[0]);
        expect(window.size).toBe(model.length);
        const bytes = model.reduce((sum, sequence) => sum + (sequence % 7), 0);
        expect([window.bodyBytes, budget.bodyBytes]).toEqual([bytes, bytes]);
      }
      expect([...window.values()].map(({ sequence }) => sequence)).toEqual(model);
    }),
    { numRuns: 200 },
  );
});

test('a long run through keeps no trace of what went', () => {
  const budget: WindowBudget = { bodyBytes: 0, limit: 1e9 };
  const window = createWindow(budget);
  for (let sequence = 1; sequence <= 3000; sequence += 1) window.append(message(sequence));
  for (let sequence = 3001; sequence <= 50_000; sequence += 1) {
    window.append(message(sequence));
    expect(window.shift()?.sequence).toBe(sequence - 3000);
  }
  expect(window.size).toBe(3000);
});

test('windows share their budget', () => {
  const budget: WindowBudget = { bodyBytes: 0, limit: 1e9 };
  const [one, two] = [createWindow(budget), createWindow(budget)];
  one.append(message(6));
  two.append(message(5));
  expect(budget.bodyBytes).toBe(11);
  one.clear();
  expect(budget.bodyBytes).toBe(5);
});
