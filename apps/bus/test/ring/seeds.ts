/** Which seeds to run. */

/**
 * Seeds that show faults which the ring once had. They run first, always. A change to what a seed decides (plan.ts)
 * makes other seeds of these: then put each fault back for a moment and look for new ones.
 */
export const REGRESSIONS: readonly number[] = [
  // A member that lagged by two rotations dropped packets beyond its window, and recovery took them for received.
  1618,
  1152, 2404,
  // Commit tokens timed out while each disk in turn stored the ring's sequence.
  1, 35, 60,
];

export function seedsToRun(usual: number): number[] {
  const one = process.env.ROOKERY_TEST_SEED;
  if (one !== undefined) return [Number(one)];
  const count = Number(process.env.ROOKERY_TEST_SEEDS ?? usual);
  const from = Number(process.env.ROOKERY_TEST_FROM ?? 1);
  return Array.from({ length: count }, (_, index) => from + index);
}
