/** `rookery-bus log`: the program at the end of a web server's pipe. It reads whatever comes, at once, whatever else is slow. */
import type { Readable } from 'node:stream';
import type { Publisher } from '../spool/index.ts';
import { type Line, LineSplitter } from './lines.ts';
import type { Tally } from './tally.ts';

/** After SIGTERM the web server still closes its end: what stands in the pipe is read, but nobody waits long for it. */
const LAST_LINES_MS = 500;

/** Resolves when the input has ended, or some time after the signal. */
export async function publishPiped(
  input: Readable,
  groups: readonly string[],
  publisher: Publisher,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const splitter = new LineSplitter();
  // hot: once per line. Never waits: a full pipe would stop the web server.
  const take = ({ bytes, cut }: Line): void => {
    if (cut) tally.add('cut');
    if (bytes.length === 0) return;
    tally.add(publisher.offer(groups, bytes) ? 'published' : 'dropped');
  };
  await new Promise<void>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      input.removeAllListeners('data');
      resolve();
    };
    const onAbort = (): void => {
      timer = setTimeout(end, LAST_LINES_MS);
    };
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    input.on('data', (chunk: Buffer) => {
      try {
        for (const line of splitter.push(chunk)) take(line);
      } catch (error) {
        reject(error);
      }
    });
    input.once('end', end);
    input.once('error', reject);
  });
  const last = splitter.end();
  if (last !== undefined) take(last);
}
