import { errorMessage } from '../errors.ts';

/** Undefined when all is well, else why not, in a few words: `recovering`. */
export type ReadinessCheck = () => string | undefined | Promise<string | undefined>;

export interface Readiness {
  readonly status: 'ready' | 'not_ready';
  /** The first failed check's reason. */
  readonly reason?: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string }>>;
}

/** Asks all checks at once; one that throws or takes too long has failed. */
export async function readiness(
  checks: ReadonlyMap<string, ReadinessCheck>,
  timeoutMs: number,
): Promise<Readiness> {
  const results = await Promise.all(
    [...checks].map(async ([name, check]) => [name, await reasonOf(check, timeoutMs)] as const),
  );
  const failed = results.find(([, reason]) => reason !== undefined)?.[1];
  return {
    status: failed === undefined ? 'ready' : 'not_ready',
    ...(failed === undefined ? {} : { reason: failed }),
    checks: Object.fromEntries(
      results.map(([name, reason]) => [name, reason === undefined ? { ok: true } : { ok: false, reason }]),
    ),
  };
}

async function reasonOf(check: ReadinessCheck, timeoutMs: number): Promise<string | undefined> {
  const timeout = Promise.withResolvers<string>();
  const timer = setTimeout(() => timeout.resolve(`no answer in ${timeoutMs} ms`), timeoutMs);
  try {
    return await Promise.race([check(), timeout.promise]);
  } catch (error) {
    return errorMessage(error);
  } finally {
    clearTimeout(timer);
  }
}
