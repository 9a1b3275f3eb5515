import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createOutput, type Output } from '@rookery/service';
import type { OpenMessage } from '../client/index.ts';
import { messageJson, messageLine } from './describe.ts';
import { type Target, withClient } from './target.ts';

export interface GetOptions {
  readonly queue: string;
  /** How long to wait for a message when there is none. */
  readonly waitMs: number;
  /** Messages after which it ends. */
  readonly count: number;
  /** Goes on until Ctrl-C. */
  readonly follow: boolean;
  readonly json: boolean;
  readonly cursor: string | undefined;
  /** A shell command that is run for each message, with its body as standard input. */
  readonly exec: string | undefined;
  /** How many of them at a time. */
  readonly jobs: number;
  /** A message whose command failed comes back after so long. */
  readonly retryDelayMs: number;
}

/** Open at a time while they are printed. */
const PREFETCH = 64;

/**
 * Takes messages and prints them, or runs a command for each. Each is open until it is printed, or its command has
 * ended well: then it is acknowledged, else it goes back. Resolves to how many were taken, and how many commands failed.
 */
export function get(
  target: Target,
  options: GetOptions,
  signal: AbortSignal,
): Promise<{ readonly taken: number; readonly failed: number }> {
  const { queue, waitMs, count, follow, cursor, exec, jobs, retryDelayMs } = options;
  return withClient(target, signal, async (client) => {
    const output = createOutput(process.stdout, signal);
    const use = exec === undefined ? printer(options, output) : runner(exec);
    const stop = new AbortController();
    const running = new Set<Promise<void>>();
    const result = { taken: 0, failed: 0 };
    let failure: unknown;
    const settle = async (message: OpenMessage, well: boolean): Promise<void> => {
      if (well) {
        await message.acknowledge();
        result.taken++;
      } else {
        await message.abort({ delayMs: exec === undefined ? 0 : retryDelayMs });
        if (exec !== undefined) result.failed++;
      }
    };
    const messages = client.queue(queue).consume({
      prefetch: Math.min(exec === undefined ? PREFETCH : jobs, count),
      signal: AbortSignal.any([output.ended, stop.signal]),
      ...(cursor === undefined ? {} : { cursor }),
      ...(follow ? {} : { idleMs: waitMs }),
    });
    let begun = 0;
    for await (const message of messages) {
      begun++;
      const used = use(message);
      const work = used
        .then((well) => settle(message, well))
        .catch((error: unknown) => {
          failure ??= error;
          stop.abort();
        })
        .finally(() => running.delete(work));
      running.add(work);
      // What is printed comes in order; commands run side by side.
      if (exec === undefined) await used;
      if (begun === count) {
        // Leaving the loop gives back what is open.
        await Promise.all(running);
        break;
      }
    }
    await Promise.all(running);
    await output.flush();
    if (failure !== undefined && !output.ended.aborted) throw failure;
    return result;
  });
}

/** False if nobody reads any more: then it is not taken. */
function printer({ json }: GetOptions, output: Output): (message: OpenMessage) => Promise<boolean> {
  const terminal = process.stdout.isTTY === true;
  return async (message) => {
    await output.write(json ? messageJson(message) : messageLine(message.body, terminal));
    return !output.ended.aborted;
  };
}

/** False if the command didn't end with 0. */
function runner(command: string): (message: OpenMessage) => Promise<boolean> {
  return async (message) => {
    const child = spawn(command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: {
        ...process.env,
        ROOKERY_MESSAGE_QUEUE: message.queue,
        ROOKERY_MESSAGE_FLAGS: String(message.flags),
        ROOKERY_MESSAGE_DELIVERIES: String(message.deliveries),
        ...(message.id === undefined ? {} : { ROOKERY_MESSAGE_ID: message.id }),
      },
    });
    // A command needs not read it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(message.body);
    const [code] = (await once(child, 'close')) as [number | null];
    return code === 0;
  };
}
