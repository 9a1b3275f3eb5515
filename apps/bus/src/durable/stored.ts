/** Reading the streams of a kept group from one end to the other. */
import { recordBytes } from '@rookery/protocol/websocket';
import type { Stream } from '@rookery/storage';

/** Who is shown a record, which a byte behind it says in the log; none behind it for `shown`. */
export const NOTES = ['shown', 'repeat', 'late', 'restated'] as const;

/**
 * - `repeat`: a message that stands in the log under another stamp. It says how old the message is, and is shown to
 *   nobody.
 * - `late`: older than what its key had when it came. Not for who follows last values.
 * - `restated`: it is the last value of its key after all. Only for who follows last values.
 */
export type Note = (typeof NOTES)[number];

export interface Stored {
  readonly sequence: number;
  readonly record: Uint8Array;
  readonly note: Note;
}

/** As it stands in the log. */
export function withNote(record: Uint8Array, note: Note): Uint8Array {
  if (note === 'shown') return record;
  const bytes = new Uint8Array(record.length + 1);
  bytes.set(record);
  bytes[record.length] = NOTES.indexOf(note);
  return bytes;
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
    const bytes = buffer.subarray(start, end);
    const length = recordBytes(bytes);
    if (length >= bytes.length) some.push({ sequence, record: bytes, note: 'shown' });
    else some.push({ sequence, record: bytes.subarray(0, length), note: NOTES[bytes[length]!] ?? 'shown' });
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
 * synced and leave what stands behind it; that is let go of here, since a vector tells of beginnings. `after`: up to
 * there nothing can be missing.
 */
export async function* unbroken(stream: Stream, after = 0): AsyncGenerator<Stored> {
  let last = Math.max(stream.acknowledgedThrough, after);
  scan: for await (const stored of records(stream, after)) {
    for (let missing = last + 1; missing < stored.sequence; missing++) {
      if (!stream.isAcknowledged(missing)) break scan;
    }
    last = Math.max(last, stored.sequence);
    yield stored;
  }
  stream.acknowledgeRange(last + 1, stream.nextSequence - 1);
}
