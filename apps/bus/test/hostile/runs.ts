/** How much, under which seed. A million for each port are run by hand: docs/internals/bus.md. */
export const RUNS: number = Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 2000);
export const SEED: number = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);
/** Of one test: generous, for a machine that does other things too. */
export const TIMEOUT_MS: number = 120_000 + RUNS * 2;
