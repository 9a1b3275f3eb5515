/** When to try again. Pure. */

/** Doubling, with all of it random, so that a server's clients don't come back in one moment. `attempt` from 1. */
export function waitBefore(
  attempt: number,
  random: number,
  { retryMs, retryMaxMs }: { readonly retryMs: number; readonly retryMaxMs: number },
): number {
  return random * Math.min(retryMaxMs, retryMs * 2 ** Math.min(attempt - 1, 30));
}
