import { write as writeCallback, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const writeInThread = promisify(writeCallback);

/** Writes all of the bytes at an offset of a file. */
export type Writer = (descriptor: number, bytes: Uint8Array, offset: number) => void | Promise<void>;

/** Only a disk that is behind, and makes the writer wait, takes so long. */
const SLOW_MS = 50;
const SLOW_FOR_MS = 2_000;

/**
 * A write into the page cache takes less time than handing it to a thread, so it is made at once; until one was slow,
 * and for two seconds after that: a full disk queue must not hold up everything else.
 */
export function createWriter(): Writer {
  let slowUntil = 0;

  const inThread: Writer = async (descriptor, bytes, offset) => {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writeInThread(
        descriptor,
        bytes,
        done,
        bytes.length - done,
        offset + done,
      );
      done += bytesWritten;
    }
  };

  return (descriptor, bytes, offset) => {
    const began = performance.now();
    if (began < slowUntil) return inThread(descriptor, bytes, offset);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    }
    const ended = performance.now();
    if (ended - began > SLOW_MS) slowUntil = ended + SLOW_FOR_MS;
    return undefined;
  };
}
