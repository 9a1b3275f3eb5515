import { asHostError, type HostError } from '../host/errors.ts';
import type { Host } from '../inventory/host.ts';

/** What came of it on a host. */
export type OnHost<T> =
  | { readonly host: Host; readonly result: T }
  | { readonly host: Host; readonly error: HostError };

/** Does something on every host at the same time, each within the time limit; resolves in the order of the hosts. */
export function onEachHost<T>(
  hosts: readonly Host[],
  work: (host: Host, signal: AbortSignal) => Promise<T>,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<OnHost<T>[]> {
  return Promise.all(
    hosts.map(async (host): Promise<OnHost<T>> => {
      const limit = AbortSignal.timeout(options.timeoutMs);
      try {
        return { host, result: await work(host, AbortSignal.any([limit, options.signal])) };
      } catch (error) {
        return { host, error: asHostError(error) };
      }
    }),
  );
}
