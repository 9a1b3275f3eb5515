/** The messages of another program's data folder, put into a server. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '@rookery/service';
import type { Queue, QueueClient } from '../../client/index.ts';
import { showProgress } from '../progress.ts';
import { JournalFile } from './journal-file.ts';
import { kestrelQueues, replayKestrel } from './kestrel.ts';
import type { JournalMessage, Replayed } from './replay.ts';
import { replayStarling, starlingQueues } from './starling.ts';

export type ImportKind = 'starling' | 'kestrel';

export interface Imported {
  readonly queue: string;
  /** Put. */
  readonly messages: number;
  /** Those of them that were open and had not been acknowledged. */
  readonly returned: number;
  /** Not put, for their time was over. */
  readonly expired: number;
  readonly tornBytes: number;
  readonly damaged: Replayed['damaged'];
}

const KINDS: Readonly<
  Record<
    ImportKind,
    {
      readonly queues: (paths: readonly string[]) => Map<string, string[]>;
      readonly replay: (paths: readonly string[]) => Promise<Replayed>;
    }
  >
> = {
  starling: { queues: starlingQueues, replay: replayStarling },
  kestrel: { queues: kestrelQueues, replay: replayKestrel },
};

/** Puts that may be without an answer, and their bytes. */
const IN_FLIGHT = 512;
const IN_FLIGHT_BYTES = 4 * 1024 * 1024;

/**
 * Reads every journal of the folder and puts what is left in it, queue by queue, in order. The folder is only read; its
 * server must not run.
 *
 * @throws ServiceError `USAGE` for a folder without journals; the client's error of the first put that fails
 */
export async function importFolder(
  client: QueueClient,
  kind: ImportKind,
  directory: string,
  signal: AbortSignal,
): Promise<Imported[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: Error) => {
    throw new ServiceError('USAGE', `${directory} can’t be read: ${error.message}`, { cause: error });
  });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(directory, entry.name));
  const queues = KINDS[kind].queues(paths.sort());
  if (queues.size === 0) throw new ServiceError('USAGE', `${directory} holds no journal`);
  using progress = showProgress('imported');
  const imported: Imported[] = [];
  let before = 0;
  for (const [name, files] of queues) {
    const replayed = await KINDS[kind].replay(files);
    const { messages, returned, tornBytes, damaged } = replayed;
    const nowMs = Date.now();
    const due = messages.filter(({ expiresAtMs }) => expiresAtMs === 0 || expiresAtMs > nowMs);
    const total = before + due.length;
    // A put to "orders+audit" would go to both: a fanout child gets its own by a move.
    const child = name.includes('+');
    const queue = client.queue(child ? `${name.replaceAll('+', '-')}-import` : name);
    await putAll(queue, due, signal, (done) => progress.update(before + done, total));
    if (child) await moveToChild(client, queue, name);
    before = total;
    imported.push({
      queue: name,
      messages: due.length,
      returned,
      expired: messages.length - due.length,
      tornBytes,
      damaged,
    });
  }
  return imported;
}

async function moveToChild(client: QueueClient, from: Queue, name: string): Promise<void> {
  // A read makes the child.
  await client.queue(name).peek();
  await from.redrive({ to: name });
  await from.delete();
}

async function putAll(
  queue: Queue,
  messages: readonly JournalMessage[],
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<void> {
  await using files = new AsyncDisposableStack();
  const open = new Map<string, JournalFile>();
  let done = 0;
  for (let from = 0; from < messages.length; ) {
    signal.throwIfAborted();
    let to = from;
    for (let bytes = 0; to < messages.length && to - from < IN_FLIGHT && bytes < IN_FLIGHT_BYTES; to++) {
      bytes += messages[to]!.length;
    }
    const batch = messages.slice(from, to);
    for (const { file } of batch) {
      if (!open.has(file)) open.set(file, files.use(await JournalFile.open(file)));
    }
    const bodies = await Promise.all(
      batch.map(({ file, position, length }) => open.get(file)!.read(position, length)),
    );
    // In one turn, so that they keep their order.
    await Promise.all(
      batch.map(({ expiresAtMs }, index) =>
        queue.put(
          bodies[index]!,
          expiresAtMs === 0 ? {} : { expiresInMs: Math.max(1, expiresAtMs - Date.now()) },
        ),
      ),
    );
    done += to - from;
    onProgress(done);
    from = to;
  }
}
