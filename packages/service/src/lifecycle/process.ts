import { performance } from 'node:perf_hooks';
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
  const uninstall = installHandlers(options);
  try {
    await options.lifecycle.start();
  } catch (error) {
    // A signal during the start is a stop and no failure of the start.
    if ((error as { code?: unknown }).code !== 'START_ABORTED') {
      uninstall();
      throw error;
    }
  }
  try {
    return await options.lifecycle.done;
  } finally {
    uninstall();
  }
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
