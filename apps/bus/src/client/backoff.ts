/** When and where to try again. Pure. */
import type { ClientSettings } from './options.ts';

/** Doubling, with all of it random, so that a daemon's clients don't come back in one moment. `attempt` from 1. */
export function waitBefore(
  attempt: number,
  random: number,
  { retryMs, retryMaxMs }: Pick<ClientSettings, 'retryMs' | 'retryMaxMs'>,
): number {
  return random * Math.min(retryMaxMs, retryMs * 2 ** Math.min(attempt - 1, 30));
}

/** The URL of the session while it may still go on there; then each in turn. */
export function nextUrl(last: number, urls: number, brokenForMs: number, sameDaemonMs: number): number {
  return brokenForMs < sameDaemonMs ? last : (last + 1) % urls;
}
