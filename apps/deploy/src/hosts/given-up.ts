import { HostError } from '../host/errors.ts';

/** @throws HostError `time-limit`, `cancelled`: the attempt to open a host was given up, by a time limit or a person */
export function throwIfGivenUp(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if ((signal.reason as Error | undefined)?.name === 'TimeoutError') {
    throw new HostError('time-limit', 'It did not answer in time');
  }
  throw new HostError('cancelled', 'Opening it was cancelled');
}
