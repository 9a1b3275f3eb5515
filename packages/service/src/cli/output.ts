/** Standard output for what may come faster than somebody reads it. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

export interface Output {
  /**
   * Resolves when more may be written: at once, or when the reader has caught up, has gone, or `ended` is given.
   * @throws the system's error when a file takes not all of it
   */
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
  // A file's. By itself Node takes for written what the disk had room for half of.
  const { fd } = stream as { readonly fd?: number };
  const file = (stream as Writable) instanceof Socket ? undefined : fd;
  return {
    ended,
    write(data) {
      if (ended.aborted) return undefined;
      if (file !== undefined) return writeWhole(file, data);
      return stream.write(data) ? undefined : drained(stream, ended);
    },
    async flush() {
      if (stream.writableLength > 0) await drained(stream, ended);
    },
  };
}

function writeWhole(file: number, data: string | Uint8Array): undefined {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

async function drained(stream: NodeJS.WriteStream, ended: AbortSignal): Promise<void> {
  // Only the signal ends the wait early, and who waits looks at it.
  await once(stream, 'drain', { signal: ended }).catch(() => undefined);
}
