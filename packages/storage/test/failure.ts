import type { SimulationOptions } from './options.ts';

/** How many of the last operations a failure tells. */
const TOLD = Number(process.env.ROOKERY_TEST_TRACE ?? 60);

/** A seed that failed, with all that is needed to replay it. */
export class SimulationFailure extends Error {
  readonly seed: number;
  constructor(seed: number, options: SimulationOptions, trace: readonly string[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const lines = [
      `seed ${seed}: ${reason}`,
      `replay: ROOKERY_TEST_SEED=${seed} npx vitest run --project storage test/simulation`,
      `options: ${JSON.stringify(options)}`,
      'last operations (ROOKERY_TEST_TRACE=n tells more):',
      ...trace.slice(-TOLD).map((line) => `  ${line}`),
    ];
    super(lines.join('\n'), { cause });
    this.name = 'SimulationFailure';
    this.seed = seed;
  }
}
