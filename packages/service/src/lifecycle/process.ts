import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Lifecycle } from './lifecycle.ts';

export interface ProcessOptions {
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** Called on SIGHUP, to read the settings file again; what it throws is logged as an error. Default: SIGHUP is ignored. */
  readonly reload?: () => void | Promise<void>;
}

/** One Ctrl-C may come twice, from the terminal and from npm or turbo, which pass it on to their children. */
const SAME_SIGNAL_MS = 500;

/**
 * Runs a server as the process's only business, for an app's cli.ts: starts it, and stops it at SIGTERM or SIGINT, at a
 * second signal at once, or after an exception that nobody caught. As a library a server is given its `lifecycle` alone
 * and the process's signals stay with their owner.
 *
 * Resolves to the exit code, for `process.exit(code)` in cli.ts. Rejects only when the start fails.
 */
export async function runProcess(options: ProcessOptions): Promise<number> {
  const { lifecycle } = options;
  const uninstall = installHandlers(options);
  try {
    const started = lifecycle.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    // A start that hangs must not outlive a stop; one turn lets a start that failed say so, after its own stop.
    const failure = await Promise.race([started, lifecycle.done.then(() => nextTurn(undefined))]);
    // A signal during the start is a stop and no failure of the start.
    if (failure !== undefined && !isAborted(failure)) throw failure;
    return await lifecycle.done;
  } finally {
    uninstall();
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'START_ABORTED';
}

/** Installs the handlers of `runProcess`; returns what removes them. */
function installHandlers({ lifecycle, log, reload }: ProcessOptions): () => void {
  let signalledAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const name = signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM';
    const now = performance.now();
    if (signalledAt !== undefined) {
      if (now - signalledAt >= SAME_SIGNAL_MS) lifecycle.force(name);
      return;
    }
    signalledAt = now;
    log.info({ signal }, 'signal received; send it again to stop at once');
    void lifecycle.stop(name);
  };
  const onHangup = async (): Promise<void> => {
    try {
      await reload?.();
    } catch (error) {
      log.error({ err: error }, 'reload failed, the settings stay as they were');
    }
  };
  // After this the program's state is unknown, but what was acknowledged is on disk: an orderly stop is tried, in bounds.
  const onFault = (error: unknown): void => lifecycle.fail(error);
  const handlers: [string, (...values: never[]) => void][] = [
    ['SIGTERM', onSignal],
    ['SIGINT', onSignal],
    ['SIGHUP', onHangup],
    ['uncaughtException', onFault],
    ['unhandledRejection', onFault],
  ];
  for (const [event, handler] of handlers) process.on(event, handler as (...values: unknown[]) => void);
  return () => {
    for (const [event, handler] of handlers) process.off(event, handler as (...values: unknown[]) => void);
  };
}
