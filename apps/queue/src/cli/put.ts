import { addAbortSignal } from 'node:stream';
import { linesOf, wholeOf } from '@rookery/service';
import { type PutOptions, QueueError } from '../client/index.ts';
import { showProgress } from './progress.ts';
import { type Target, withClient } from './target.ts';

export interface PutRequest extends PutOptions {
  readonly queue: string;
  /** What is put; none reads standard input. */
  readonly text: string | undefined;
  /** Each line of the input is a message of its own. */
  readonly lines: boolean;
}

/** Puts that may be without an answer: the client's own pipeline, so that no call waits in memory. */
const IN_FLIGHT = 1024;
const IN_FLIGHT_BYTES = 4 * 1024 * 1024;

/** Puts one message, or a line at a time, and resolves when all are kept. */
export async function put(target: Target, request: PutRequest, signal: AbortSignal): Promise<void> {
  const { queue: name, text, lines, ...options } = request;
  const input = text === undefined ? addAbortSignal(signal, process.stdin) : undefined;
  if (input !== undefined && process.stdin.isTTY) {
    process.stderr.write(`Reading ${lines ? 'messages, one a line' : 'one message'}; Ctrl-D ends it.\n`);
  }
  await withClient(target, signal, async (client) => {
    const queue = client.queue(name);
    if (input === undefined) await queue.put(text!, options);
    else if (!lines) await queue.put(await wholeOf(input), options);
    else await putLines(linesOf(input), (line) => queue.put(line, options));
  });
}

/** As many at a time as the client takes; ends with the first failure of all, told with its line. */
async function putLines(
  lines: AsyncIterable<Buffer>,
  putLine: (line: Buffer) => Promise<unknown>,
): Promise<void> {
  using progress = showProgress('put');
  let failure: { readonly line: number; readonly error: unknown } | undefined;
  let read = 0;
  let done = 0;
  let bytes = 0;
  let wake: (() => void) | undefined;
  const settled = (size: number): void => {
    done++;
    bytes -= size;
    if (done % 1000 === 0) progress.update(done);
    wake?.();
  };
  const until = async (ready: () => boolean): Promise<void> => {
    while (failure === undefined && !ready()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  try {
    for await (const line of lines) {
      const number = ++read;
      bytes += line.length;
      putLine(line).then(
        () => settled(line.length),
        (error: unknown) => {
          failure ??= { line: number, error };
          settled(line.length);
        },
      );
      await until(() => read - done < IN_FLIGHT && bytes < IN_FLIGHT_BYTES);
      if (failure !== undefined) break;
    }
  } finally {
    await until(() => done === read);
  }
  if (failure === undefined) return;
  const { line, error } = failure;
  if (!(error instanceof QueueError)) throw error;
  throw new QueueError(error.code, `line ${line}: ${error.message}`, { sent: error.sent, cause: error });
}
