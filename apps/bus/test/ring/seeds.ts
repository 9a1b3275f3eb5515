/** Which seeds to run. */

/** Seeds that failed once, and what they showed. They are run first, always. */
export const REGRESSIONS: readonly number[] = [
  // A member that lagged by two rotations dropped packets beyond its window, and recovery took them for received.
  1430,
  // Requests that nobody could answer any more filled the token for good.
  897,
  // Commit tokens timed out while each disk in turn stored the ring's sequence.
  1,
];

export function seedsToRun(usual: number): number[] {
  const one = process.env.ROOKERY_TEST_SEED;
  if (one !== undefined) return [Number(one)];
  const count = Number(process.env.ROOKERY_TEST_SEEDS ?? usual);
  const from = Number(process.env.ROOKERY_TEST_FROM ?? 1);
  return Array.from({ length: count }, (_, index) => from + index);
}
