/** Reading the streams of a kept group from one end to the other. */
import type { Stream } from '@rookery/storage';

export interface Stored {
  readonly sequence: number;
  readonly record: Uint8Array;
}

/** One trip to the disk. */
const READ = { maxEntries: 2048, maxBytes: 256 * 1024 } as const;

export async function readSome(
  stream: Stream,
  after: number,
  last: number = Number.MAX_SAFE_INTEGER,
): Promise<Stored[]> {
  const entries = await stream.read(after, READ);
  const some: Stored[] = [];
  for (const { sequence, buffer, start, end } of entries) {
    if (sequence > last) break;
    some.push({ sequence, record: buffer.subarray(start, end) });
  }
  return some;
}

export async function* records(stream: Stream, after: number, last?: number): AsyncGenerator<Stored> {
  for (let at = after; ; ) {
    const some = await readSome(stream, at, last);
    if (some.length === 0) return;
    yield* some;
    at = some.at(-1)!.sequence;
  }
}

/**
 * All up to the first place where something is missing that was never let go of. A power loss may take what was not
 * synced and leave what stands behind it; that is let go of here, since a vector tells of beginnings.
 */
export async function* unbroken(stream: Stream): AsyncGenerator<Stored> {
  let last = stream.acknowledgedThrough;
  scan: for await (const stored of records(stream, 0)) {
    for (let missing = last + 1; missing < stored.sequence; missing++) {
      if (!stream.isAcknowledged(missing)) break scan;
    }
    last = Math.max(last, stored.sequence);
    yield stored;
  }
  stream.acknowledgeRange(last + 1, stream.nextSequence - 1);
}
