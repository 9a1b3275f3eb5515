import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { ReplayWindow, WINDOW } from '../../src/transport/replay-window.ts';

it.each([1, 2, 3, 4, 5])(
  'a counter passes once, if it is in the window and above the floor (seed %i)',
  (seed) => {
    const random = new Random(seed);
    const floor = random.pick([0, 1, 31, 32, 5000, 2 ** 32 - 10, 2 ** 47]);
    const window = new ReplayWindow(floor);
    const seen = new Set<number>();
    let highest = floor;
    for (let i = 0; i < 50_000; i++) {
      const ahead = random.chance(0.001) ? random.below(20_000) : random.below(4);
      const behind = random.below(random.chance(0.1) ? 3 * WINDOW : 100);
      const counter = Math.max(0, random.chance(0.5) ? highest + ahead : highest - behind);
      const expected = counter > floor && highest - counter < WINDOW && !seen.has(counter);
      if (window.accept(counter) !== expected)
        throw new Error(`${counter} after ${highest}: not ${expected}`);
      if (expected) seen.add(counter);
      highest = Math.max(highest, counter);
      expect(window.highest).toBe(highest);
    }
  },
);
