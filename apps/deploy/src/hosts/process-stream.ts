import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { HostError } from '../host/errors.ts';
import type { HostStream } from './transport.ts';

export interface ProcessStream extends HostStream {
  /** The end of what it has written there. */
  readonly stderr: () => string;
  /** Once it has ended; null after a signal. */
  readonly exitCode: () => number | null;
}

/** The end of stderr, for the reason. */
const STDERR_BYTES_MAX = 4 * 1024;

/**
 * A child process as the way to a host: itself the host's side, or what leads there.
 * @throws HostError `unreachable`: it could not be started
 */
export async function processStream(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
): Promise<ProcessStream> {
  let stderr = Buffer.alloc(0);
  child.stderr.on('data', (part: Buffer) => {
    stderr = Buffer.concat([stderr, part]).subarray(-STDERR_BYTES_MAX);
  });
  // Writing to what has ended is no error here: `ended` says it.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(
    ([code, signal]) => ({ reason: describe(code, signal, stderr.toString('utf8')) }),
    (error: Error) => ({ reason: error.message }),
  );
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new HostError('unreachable', (error as Error).message, { cause: error });
  }
  return {
    input: child.stdin,
    output: child.stdout,
    ended,
    exitCode: () => child.exitCode,
    stderr: () => stderr.toString('utf8'),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function describe(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  const how = signal === null ? `exit code ${code}` : signal;
  const why = stderr.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return why === '' ? how : `${how}: ${why.slice(0, 300)}`;
}
