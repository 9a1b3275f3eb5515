/**
 * Starling's journals (0.10): a file a queue, named as it is. A record is 0, a length (u32, little-endian) and so many
 * bytes: the expiry (u32, Unix time, 0 for never) and the body; or 1, which takes the oldest away.
 */
import { basename } from 'node:path';
import { JournalFile } from './journal-file.ts';
import { type JournalMessage, Line, type Replayed } from './replay.ts';

const PUSH = 0;
const POP = 1;
const EXPIRY_BYTES = 4;

/** The files of each queue. One that is being rotated has the time behind its name, and everything of it was consumed. */
export function starlingQueues(paths: readonly string[]): Map<string, string[]> {
  const names = new Set(paths.map((path) => basename(path)));
  const queues = new Map<string, string[]>();
  for (const path of paths) {
    const name = basename(path);
    const rotated = /^(.+)\.\d{9,}$/.exec(name)?.[1];
    if (rotated === undefined || !names.has(rotated)) queues.set(name, [path]);
  }
  return queues;
}

export async function replayStarling(paths: readonly string[]): Promise<Replayed> {
  const [path] = paths;
  await using journal = await JournalFile.open(path!);
  const messages = new Line<JournalMessage>();
  const size = await journal.size();
  const end = (tornFrom: number, damagedAt?: number): Replayed => ({
    messages: messages.toArray(),
    returned: 0,
    tornBytes: size - tornFrom,
    damaged: damagedAt === undefined ? undefined : { file: path!, position: damagedAt },
  });
  for (;;) {
    const start = journal.position;
    const command = (await journal.take(1))?.[0];
    if (command === undefined) return end(size);
    if (command === POP) messages.shift();
    else if (command === PUSH) {
      const length = (await journal.take(4))?.readUInt32LE();
      if (length === undefined) return end(start);
      if (length < EXPIRY_BYTES) return end(size, start);
      const expiry = (await journal.take(EXPIRY_BYTES))?.readUInt32LE();
      const { position } = journal;
      if (expiry === undefined || !(await journal.skip(length - EXPIRY_BYTES))) return end(start);
      messages.push({
        file: path!,
        position,
        length: length - EXPIRY_BYTES,
        expiresAtMs: expiry * 1000,
      });
    } else return end(size, start);
  }
}
