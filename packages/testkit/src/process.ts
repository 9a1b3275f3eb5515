import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './random.ts';
import { waitFor } from './wait.ts';

export interface StartOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Added to this process' own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What the output must match before `startProcess` returns; without it, it returns at once. */
  readonly readyPattern?: RegExp;
  /** Default 60 s. */
  readonly readyWithinMs?: number;
}

export interface ProcessExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** What `readyPattern` matched, with its groups. */
  readonly ready: RegExpMatchArray | null;
  /** Both outputs so far, in the order of their arrival. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined while it runs. */
  readonly exit: ProcessExit | undefined;
  /** Sends a signal, default SIGTERM; does nothing when it has ended. */
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when the process has ended and all its output is here. Default within 60 s. */
  waitForExit(withinMs?: number): Promise<ProcessExit>;
}

/**
 * Starts a real program for a test. Dispose of it, or it outlives the test: disposal is SIGKILL.
 * @example
 * await using server = await startProcess({ command: process.execPath, args: ['server.js'], readyPattern: /port (\d+)/ });
 * const port = Number(server.ready?.[1]);
 */
export async function startProcess(options: StartOptions): Promise<RunningProcess> {
  const { command, args = [], readyPattern, readyWithinMs = 60_000 } = options;
  const title = [command, ...args].join(' ');
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = new Running(child, title);
  try {
    if (readyPattern !== undefined) {
      running.ready = await waitFor(
        () => {
          const match = running.output.match(readyPattern);
          if (match !== null) return match;
          if (running.failure) throw running.failure;
          if (running.exit)
            throw new Error(`${title} ended (${told(running.exit)}) before it was ready\n${running.output}`);
          return undefined;
        },
        {
          what: `"${title}" to print ${readyPattern}`,
          withinMs: readyWithinMs,
          detail: () => running.output,
        },
      );
    } else {
      await waitFor(() => child.pid !== undefined || running.failure !== undefined, {
        what: `"${title}" to start`,
      });
      if (running.failure) throw running.failure;
    }
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
  return running;
}

/** SIGKILL at a moment that the generator draws; resolves with how the process ended. */
export async function killAtRandomMoment(
  target: RunningProcess,
  random: Random,
  range: { readonly fromMs: number; readonly toMs: number },
): Promise<ProcessExit> {
  await delay(range.fromMs + random.float() * (range.toMs - range.fromMs));
  target.kill('SIGKILL');
  return target.waitForExit();
}

class Running implements RunningProcess {
  ready: RegExpMatchArray | null = null;
  output = '';
  stdout = '';
  stderr = '';
  exit: ProcessExit | undefined;
  failure: Error | undefined;
  readonly #child: ChildProcess;
  readonly #title: string;

  constructor(child: ChildProcess, title: string) {
    this.#child = child;
    this.#title = title;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.output += text;
    });
    child.once('error', (error) => {
      this.failure = error;
    });
    // `close` and not `exit`: the pipes have been read to their end.
    child.once('close', (code, signal) => {
      this.exit = { code, signal };
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (this.exit === undefined) this.#child.kill(signal);
  }

  waitForExit(withinMs = 60_000): Promise<ProcessExit> {
    return waitFor(() => this.exit, {
      what: `"${this.#title}" to end`,
      withinMs,
      everyMs: 5,
      detail: () => this.output,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.failure !== undefined) return;
    this.kill('SIGKILL');
    await this.waitForExit();
  }
}

function told(exit: ProcessExit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}
