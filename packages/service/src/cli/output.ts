/** Standard output for what may come faster than somebody reads it. */
import { once } from 'node:events';

export interface Output {
  /** Resolves when more may be written: at once, or when the reader has caught up, has gone, or `ended` is given. */
  write(data: string | Uint8Array): Promise<void> | undefined;
  /** Given when nobody reads any more, or `until` is. */
  readonly ended: AbortSignal;
  /** Resolves when the system has taken all, or nobody will. */
  flush(): Promise<void>;
}

export function createOutput(stream: NodeJS.WriteStream, until: AbortSignal): Output {
  const gone = new AbortController();
  // `| head` closes it early, which is its right.
  stream.once('close', () => gone.abort());
  const ended = AbortSignal.any([until, gone.signal]);
  return {
    ended,
    write(data) {
      if (ended.aborted || stream.write(data)) return undefined;
      return drained(stream, ended);
    },
    async flush() {
      if (stream.writableLength > 0) await drained(stream, ended);
    },
  };
}

async function drained(stream: NodeJS.WriteStream, ended: AbortSignal): Promise<void> {
  // Only the signal ends the wait early, and who waits looks at it.
  await once(stream, 'drain', { signal: ended }).catch(() => undefined);
}
