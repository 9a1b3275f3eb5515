import { mkdir, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '@rookery/service';
import { type Log, LogError, nodeDisk, openLog, type Stream } from '@rookery/storage';
import type { DeploymentRecord, HostRecord, Note } from './record.ts';

/**
 * Deployments that were begun on this machine. A stream of the log for each: its attributes are the deployment's
 * record, its entries what became of hosts, in lists, of which the last word on a host counts. The log is opened for
 * each note and closed after it, some 20 ms: several pushes write here at a time.
 */
export interface History {
  /** Resolves when it is on the disk. @throws HistoryError */
  write(note: Note): Promise<void>;
  /** The newest first. @throws HistoryError */
  list(): Promise<DeploymentRecord[]>;
  /** Of a deployment, in the order of the inventory. @throws HistoryError */
  hosts(id: string): Promise<HostRecord[]>;
}

/** The folder can't be written or read, or another process holds it for longer than any write takes. */
class HistoryError extends Error {
  override readonly name = 'HistoryError';
  readonly code = 'history-unusable';

  constructor(folder: string, cause: unknown) {
    super(`The history in ${folder} can't be used: ${errorMessage(cause)}`, { cause });
  }
}

export interface HistoryLimits {
  /** Of deployments. What is older is dropped when the next one begins. Default 500. */
  readonly kept: number;
  /** Default 400 days: last year's deployment of the same week is there. */
  readonly keptMs: number;
}

const HISTORY_LIMITS: HistoryLimits = { kept: 500, keptMs: 400 * 24 * 3_600_000 };

/** With messages as long as they are kept, such a list is below the largest payload. */
const HOSTS_PER_ENTRY = 200;
const PAYLOAD_BYTES_MAX = 2 ** 20;
const SEGMENT_BYTES = 4 * 2 ** 20;
const BACKLOG_BYTES = 2 ** 20;
const RESERVE_BYTES = 3 * 2 ** 20;
const READ_BYTES = 4 * 2 ** 20;
/** Others hold the lock for some 20 ms each. */
const LOCKED_WITHIN_MS = 10_000;
const LOCKED_AGAIN_MS = 20;

/** @param folder is made, for nobody but its owner, when something is written */
export function createHistory(folder: string, limits: HistoryLimits = HISTORY_LIMITS): History {
  return {
    async write({ deployment, hosts }) {
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
        throw new HistoryError(folder, error);
      });
      await using log = await open(folder);
      const attributes = Buffer.from(JSON.stringify(deployment));
      const known = log.streams.get(deployment.id);
      known?.setAttributes(attributes);
      const stream = known ?? log.createStream(deployment.id, attributes);
      for (let from = 0; from < hosts.length; from += HOSTS_PER_ENTRY) {
        const bytes = Buffer.from(JSON.stringify(hosts.slice(from, from + HOSTS_PER_ENTRY)));
        stream.append(new Uint8Array(0), bytes, 0, bytes.length);
        // Within what may be in flight at a time.
        await log.sync();
      }
      if (known === undefined) drop(log, deployment, limits);
      await log.sync();
    },
    async list() {
      if (!(await isThere(folder))) return [];
      await using log = await open(folder);
      return recordsOf(log);
    },
    async hosts(id) {
      if (!(await isThere(folder))) return [];
      await using log = await open(folder);
      const stream = log.streams.get(id);
      return stream === undefined ? [] : await hostsOf(stream);
    },
  };
}

/** Those beyond the limits, but not the one that has just begun. */
function drop(log: Log, { id, began_at: now }: DeploymentRecord, { kept, keptMs }: HistoryLimits): void {
  const all = recordsOf(log);
  const before = all.find((record) => record.id !== id)?.began_at ?? now;
  // One that is begun by a clock that is years ahead doesn't take all others with it.
  const oldest = Math.min(Date.parse(now), Date.parse(before)) - keptMs;
  for (const [index, record] of all.entries()) {
    if (record.id === id || (index < kept && Date.parse(record.began_at) >= oldest)) continue;
    log.streams.get(record.id)?.remove();
  }
}

function recordsOf(log: Log): DeploymentRecord[] {
  return [...log.streams.values()]
    .map(({ attributes }) => JSON.parse(Buffer.from(attributes).toString('utf8')) as DeploymentRecord)
    .sort((a, b) => (a.began_at < b.began_at ? 1 : -1));
}

async function hostsOf(stream: Stream): Promise<HostRecord[]> {
  const hosts = new Map<string, HostRecord>();
  for (let after = 0; ; ) {
    const entries = await stream.read(after, { maxEntries: 100, maxBytes: READ_BYTES });
    const last = entries.at(-1);
    if (last === undefined) return [...hosts.values()];
    for (const { buffer, start, end } of entries) {
      for (const host of JSON.parse(buffer.toString('utf8', start, end)) as HostRecord[])
        hosts.set(host.host, host);
    }
    after = last.sequence;
  }
}

/** @throws HistoryError */
async function open(folder: string): Promise<Log & AsyncDisposable> {
  const giveUpAt = performance.now() + LOCKED_WITHIN_MS;
  for (;;) {
    try {
      const log = await openLog({
        disk: nodeDisk,
        directory: folder,
        sync: 'always',
        segmentBytes: SEGMENT_BYTES,
        maxPayloadBytes: PAYLOAD_BYTES_MAX,
        backlogBytes: BACKLOG_BYTES,
        reserveBytes: RESERVE_BYTES,
      });
      return Object.assign(log, { [Symbol.asyncDispose]: () => log.close() });
    } catch (error) {
      const locked = error instanceof LogError && error.code === 'log-locked';
      if (locked && performance.now() < giveUpAt) await delay(LOCKED_AGAIN_MS);
      else {
        throw new HistoryError(folder, error);
      }
    }
  }
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
