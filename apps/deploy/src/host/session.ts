import { hostname } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import packageJson from '../../package.json' with { type: 'json' };
import type { StepContext } from './context.ts';
import { asHostError, HostError } from './errors.ts';
import { cancelledIf } from './hooks.ts';
import { hostLayout } from './layout.ts';
import { readLines } from './lines.ts';
import { type HeldLock, takeLock } from './lock.ts';
import {
  type FromHost,
  type Hello,
  LINE_BYTES_MAX,
  PROTOCOL,
  type StepFailure,
  type StepRequest,
  type ToHost,
} from './protocol.ts';
import type { HostSettings } from './settings.ts';
import { makeFolders, needsLock, runStep, type StepState, stopSeeding } from './steps.ts';

export interface SessionOptions {
  /** Of the coordinator's lines. */
  readonly input: Readable;
  readonly output: Writable;
  /** The host's own configuration, if it has one: then the coordinator's word on these counts for nothing. */
  readonly own?: { readonly settings: HostSettings; readonly trust: readonly string[] };
  /** The coordinator's address as this host sees it. */
  readonly coordinatorAddress?: string;
  /** Aborted when the process is told to end. */
  readonly signal: AbortSignal;
}

/**
 * The host's side of a deployment: does the steps that it is asked for, one at a time, and holds the lock while it
 * lives. Resolves when its coordinator is gone, and everything here is closed.
 */
export async function runSession(options: SessionOptions): Promise<void> {
  const { input, output, signal } = options;
  const write = (line: FromHost): void => void output.write(`${JSON.stringify(line)}\n`);
  // A coordinator that has died: the end of its lines says so, too.
  output.on('error', () => undefined);
  const end = (): void => void input.destroy();
  signal.addEventListener('abort', end, { once: true });
  let session: Session | undefined;
  let lease: NodeJS.Timeout | undefined;
  try {
    for await (const line of readLines(input, LINE_BYTES_MAX)) {
      const message = parse(line);
      if ('kill' in message) process.kill(process.pid, 'SIGKILL');
      if (session === undefined) {
        const hello = greeting(message);
        session = createSession(hello, options, write);
        lease = setTimeout(end, hello.leaseMs);
        write({
          ready: PROTOCOL,
          version: packageJson.version,
          pid: process.pid,
          hostname: hostname(),
          coordinatorAddress: options.coordinatorAddress ?? null,
        });
        continue;
      }
      lease?.refresh();
      if ('ping' in message) write({ pong: message.ping });
      else if ('cancel' in message) session.cancel(message.cancel);
      else if ('id' in message) session.start(message);
    }
  } catch (error) {
    // A stream that was destroyed ends like one that came to its end.
    if (!signal.aborted && (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
      write({ id: 0, failed: { code: 'protocol', message: (error as Error).message } });
    }
  } finally {
    clearTimeout(lease);
    signal.removeEventListener('abort', end);
    await session?.close(signal);
  }
}

interface Session {
  start(request: { readonly id: number } & StepRequest): void;
  cancel(id: number): void;
  /** Waits for the step that runs; a fetch is ended, and any other too when the signal is aborted, now or later. */
  close(signal: AbortSignal): Promise<void>;
}

function createSession(hello: Hello, { own }: SessionOptions, write: (line: FromHost) => void): Session {
  const settings = own?.settings ?? hello.settings;
  const trust = (own?.trust ?? hello.trust).map((text) => ({ text }));
  const layout = hostLayout(settings.root);
  const state: StepState = { seeding: undefined };
  let lock: HeldLock | undefined;
  let running:
    | { readonly id: number; readonly step: string; readonly controller: AbortController }
    | undefined;
  let done: Promise<void> = Promise.resolve();

  const run = async (
    { id, ...request }: { readonly id: number } & StepRequest,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      if (needsLock(request.step)) {
        if (lock === undefined) {
          await makeFolders(layout);
          lock = await takeLock(layout, hello);
        }
        await lock.check();
      }
      const context: StepContext = {
        hello,
        settings,
        layout,
        trust,
        signal,
        emit: (event) => write({ id, event }),
        checkLock: async () => lock?.check(),
      };
      const result = await runStep(context, state, request as StepRequest);
      if (request.step === 'leave') {
        await lock?.release();
        lock = undefined;
      }
      write({ id, result });
    } catch (error) {
      write({ id, failed: failureOf(error, signal) });
    }
  };

  return {
    start(request) {
      if (running !== undefined) {
        const message = `The step ${running.step} is still running`;
        write({ id: request.id, failed: { code: 'busy', message } });
        return;
      }
      const controller = new AbortController();
      running = { id: request.id, step: request.step, controller };
      done = run(request, controller.signal).finally(() => {
        running = undefined;
      });
    },
    cancel(id) {
      if (running?.id === id) running.controller.abort();
    },
    async close(signal) {
      const cancel = (): void => running?.controller.abort();
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted || running?.step === 'fetch') cancel();
      await done;
      signal.removeEventListener('abort', cancel);
      await stopSeeding(state);
      await lock?.release();
    },
  };
}

function failureOf(error: unknown, signal: AbortSignal): StepFailure {
  let told = asHostError(error);
  try {
    cancelledIf(signal);
  } catch (cancelled) {
    told = asHostError(cancelled);
  }
  const { code, message, output } = told;
  return { code, message, ...(output === undefined ? {} : { output }) };
}

function parse(line: string): ToHost {
  const message: unknown = JSON.parse(line);
  if (typeof message === 'object' && message !== null) return message as ToHost;
  throw new HostError('protocol', 'A line is no object');
}

function greeting(message: ToHost): Hello {
  if ('hello' in message && message.hello === PROTOCOL) return message;
  throw new HostError(
    'protocol',
    `This is rookery-deploy ${packageJson.version}, which speaks protocol ${PROTOCOL}; use the same version on both ends`,
  );
}
