import { setImmediate as nextTurn } from 'node:timers/promises';

/** A long row of small works that are done at once lets everything else have its turn so often. */
const BREATH_EVERY_MS = 5;

/** Awaited between two works. */
export function createBreath(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < BREATH_EVERY_MS) return undefined;
    return nextTurn().then(() => {
      last = performance.now();
    });
  };
}
