import { createOutput } from '@rookery/service';
import type { Message } from '../client/index.ts';
import { messageJson } from './describe.ts';
import { showProgress } from './progress.ts';
import { type Target, withClient } from './target.ts';

export interface ExportOptions {
  readonly queue: string;
  /** Reads along with this cursor and leaves the messages; without one they are consumed. */
  readonly cursor: string | undefined;
  /** Bodies only, one behind the other, each with a newline. */
  readonly raw: boolean;
}

const NEWLINE = Buffer.from('\n');
/** Open at a time while they are written. */
const PREFETCH = 64;

/** Writes all messages that are there. Each is acknowledged when it has been written. Resolves to how many. */
export function exportQueue(target: Target, options: ExportOptions, signal: AbortSignal): Promise<number> {
  const { queue: name, cursor, raw } = options;
  return withClient(target, signal, async (client) => {
    const output = createOutput(process.stdout, signal);
    const queue = client.queue(name);
    const total = (await queue.stats({ signal }))?.messages ?? 0;
    // Two at once on one terminal would be neither.
    using progress = process.stdout.isTTY ? undefined : showProgress('exported');
    const messages = queue.consume({
      prefetch: PREFETCH,
      idleMs: 0,
      signal: output.ended,
      ...(cursor === undefined ? {} : { cursor }),
    });
    let exported = 0;
    const settling = new Set<Promise<void>>();
    let failure: unknown;
    for await (const message of messages) {
      await output.write(raw ? rawLine(message) : messageJson(message));
      if (output.ended.aborted) break;
      const settled = message
        .acknowledge()
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => settling.delete(settled));
      settling.add(settled);
      progress?.update(++exported, Math.max(total, exported));
      if (failure !== undefined) throw failure;
    }
    await Promise.all(settling);
    await output.flush();
    if (failure !== undefined) throw failure;
    return exported;
  });
}

function rawLine({ body }: Message): Buffer {
  return Buffer.concat([body, NEWLINE]);
}
