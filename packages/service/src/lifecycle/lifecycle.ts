import { performance } from 'node:perf_hooks';
import { errorMessage, ServiceError } from '../errors.ts';
import { flushLog, type Log } from '../log/log.ts';

/** How long a part may still take to stop. */
export interface Deadline {
  /** Milliseconds left, never below 0. */
  remainingMs(): number;
  /** Aborted when no time is left, or when the stop is forced. */
  readonly signal: AbortSignal;
}

/** Something of a server that starts and stops: the log store, a listener, the admin HTTP. */
export interface Part {
  readonly name: string;
  /** What `/readyz` says while this part starts; default `starting <name>`. The log's recovery says `recovering`. */
  readonly starting?: string;
  /** Resolves when the part works. A stop that can't wait aborts `signal`. */
  start?(signal: AbortSignal): void | Promise<void>;
  /** Resolves when the part has let go of everything; called only if the part started (or `start` is still running). */
  stop?(deadline: Deadline): void | Promise<void>;
}

export type LifecycleState = 'new' | 'starting' | 'ready' | 'draining' | 'stopped';

export interface LifecycleOptions {
  readonly log: Log;
  /** Most time that a stop may take, over all parts; default 25 000 ms. */
  readonly deadlineMs?: number;
}

/** Why a stop was begun; the exit code follows from it. */
export type StopReason = 'asked' | 'SIGTERM' | 'SIGINT' | 'failed';

/**
 * Starts parts in the order they were added and stops them in reverse.
 *
 * Exit codes: 0 after a clean stop, also by SIGTERM or SIGINT, because systemd and Docker take a clean drain for a
 * success; 143 (SIGTERM) or 130 (SIGINT) when the deadline passed or a second signal forced the end; 1 when a part
 * failed, could not start or could not stop.
 */
export interface Lifecycle {
  readonly state: LifecycleState;
  /** Adds a part; before `start` only. */
  add(part: Part): void;
  /**
   * Starts all parts. If one fails, those that had started are stopped.
   * @throws ServiceError START_FAILED naming the part; START_ABORTED when a stop came first.
   */
  start(): Promise<void>;
  /** Stops all parts; resolves to the exit code and never rejects. Further calls wait for the same stop. */
  stop(reason?: StopReason): Promise<number>;
  /** A running part reports that it can't go on: logged as fatal, everything stops, exit code 1. */
  fail(error: unknown): void;
  /** Ends the wait for a stop at once; `done` resolves to 143 or 130. */
  force(signal: 'SIGTERM' | 'SIGINT'): void;
  /** Why `/readyz` says no, or undefined when all parts work: `admin.check('lifecycle', () => lifecycle.notReady())`. */
  notReady(): string | undefined;
  /** Resolves to the exit code after the last part has stopped. */
  readonly done: Promise<number>;
}

const DEADLINE_MS = 25_000;
/** What each part still to come keeps of the deadline: a hung connection must not cost the log its last fsync. */
const RESERVE_MS_MAX = 1000;

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  return new PartsLifecycle(options);
}

class PartsLifecycle implements Lifecycle {
  readonly done: Promise<number>;
  readonly #log: Log;
  readonly #deadlineMs: number;
  readonly #parts: Part[] = [];
  /** Parts whose start was called, in order: these are stopped. */
  readonly #begun: Part[] = [];
  readonly #abortStart = new AbortController();
  readonly #abortStop = new AbortController();
  readonly #resolveDone: (code: number) => void;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<number> | undefined;
  #state: LifecycleState = 'new';
  #step: string | undefined;
  #failed = false;

  constructor(options: LifecycleOptions) {
    this.#log = options.log;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.done = promise;
    this.#resolveDone = resolve;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  add(part: Part): void {
    if (this.#state !== 'new') {
      throw new ServiceError('DECLARATION_INVALID', `part ${part.name} must be added before the start`);
    }
    this.#parts.push(part);
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') {
      throw new ServiceError('START_ABORTED', `can't start: the server is ${this.#state}; make a new one`);
    }
    this.#state = 'starting';
    const starting = this.#startParts();
    // A stop waits for this too; who called start gets the error.
    this.#starting = starting.catch(() => undefined);
    try {
      await starting;
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === 'START_ABORTED')) {
        this.#failed = true;
        this.#log.fatal({ err: error }, errorMessage(error));
      }
      await this.stop('failed');
      throw error;
    }
  }

  async #startParts(): Promise<void> {
    for (const part of this.#parts) {
      this.#refuseIfStopping();
      this.#step = part.starting ?? `starting ${part.name}`;
      this.#begun.push(part);
      const began = performance.now();
      try {
        await part.start?.(this.#abortStart.signal);
      } catch (error) {
        this.#begun.pop();
        this.#refuseIfStopping();
        throw new ServiceError('START_FAILED', `${part.name} did not start: ${errorMessage(error)}`, {
          cause: error,
        });
      }
      this.#log.debug({ part: part.name, seconds: (performance.now() - began) / 1000 }, 'part started');
    }
    this.#refuseIfStopping();
    this.#step = undefined;
    this.#state = 'ready';
  }

  #refuseIfStopping(): void {
    if (this.#stopping !== undefined) {
      throw new ServiceError('START_ABORTED', 'the server was told to stop before it had started');
    }
  }

  stop(reason: StopReason = 'asked'): Promise<number> {
    this.#stopping ??= this.#stopParts(reason);
    return this.#stopping;
  }

  fail(error: unknown): void {
    this.#failed = true;
    this.#log.fatal({ err: error }, errorMessage(error));
    void this.stop('failed');
  }

  force(signal: 'SIGTERM' | 'SIGINT'): void {
    this.#log.warn({ signal }, 'stop forced, what was not drained is cut off');
    this.#abortStart.abort();
    this.#abortStop.abort();
    void this.#finish(signal === 'SIGTERM' ? 143 : 130);
  }

  notReady(): string | undefined {
    if (this.#state === 'ready') return undefined;
    return this.#state === 'starting' ? this.#step : this.#state === 'new' ? 'not started' : this.#state;
  }

  async #stopParts(reason: StopReason): Promise<number> {
    // Before anything else, so that load balancers stop sending while the parts still work.
    this.#state = 'draining';
    const end = performance.now() + this.#deadlineMs;
    this.#log.info({ reason, deadlineSeconds: this.#deadlineMs / 1000 }, 'stopping');
    const reserveMs = Math.min(RESERVE_MS_MAX, this.#deadlineMs / (2 * Math.max(1, this.#parts.length)));
    let late = false;
    let broken = false;

    // A part in the middle of its start is told to give up, waited for, then stopped like the others.
    this.#abortStart.abort();
    const startEnd = end - reserveMs * this.#begun.length;
    if ((await within(this.#starting, startEnd, this.#abortStop.signal)) === 'late') late = true;

    for (const [index, part] of [...this.#begun].reverse().entries()) {
      const partEnd = Math.max(performance.now() + 1, end - reserveMs * (this.#begun.length - 1 - index));
      const outcome = await this.#stopPart(part, partEnd);
      if (outcome === 'late') late = true;
      if (outcome === 'broken') broken = true;
    }

    const signalled = reason === 'SIGTERM' ? 143 : reason === 'SIGINT' ? 130 : undefined;
    const code = this.#failed || broken ? 1 : late ? (signalled ?? 1) : 0;
    this.#state = 'stopped';
    if (!this.#forced)
      this.#log.info({ exitCode: code }, late ? 'stopped, but not everything in time' : 'stopped');
    return this.#finish(code);
  }

  async #stopPart(part: Part, end: number): Promise<'fine' | 'late' | 'broken'> {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#abortStop.signal]);
    const deadline: Deadline = { remainingMs: () => Math.max(0, end - performance.now()), signal };
    try {
      const stopping = Promise.resolve(part.stop?.(deadline));
      const outcome = await within(stopping, end, this.#abortStop.signal, () => abort.abort());
      if (outcome === 'late' && !this.#forced)
        this.#log.error({ part: part.name }, 'part did not stop in time, going on without it');
      return outcome;
    } catch (error) {
      this.#log.error({ part: part.name, err: error }, 'part could not stop');
      return 'broken';
    }
  }

  get #forced(): boolean {
    return this.#abortStop.signal.aborted;
  }

  async #finish(code: number): Promise<number> {
    await flushLog(this.#log);
    this.#resolveDone(code);
    return code;
  }
}

/** Waits for a promise until `end` (of performance.now) or the signal; what fails later is nobody's any more. */
async function within(
  promise: Promise<unknown>,
  end: number,
  signal: AbortSignal | undefined,
  onLate?: () => void,
): Promise<'fine' | 'late'> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(
    () => {
      onLate?.();
      // One turn for a part that ends at once when its deadline's signal is aborted.
      setImmediate(() => late.resolve('late'));
    },
    Math.max(0, end - performance.now()),
  );
  const forced = (): void => late.resolve('late');
  signal?.addEventListener('abort', forced, { once: true });
  if (signal?.aborted === true) forced();
  try {
    promise.catch(() => undefined);
    return await Promise.race([promise.then(() => 'fine' as const), late.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', forced);
  }
}
