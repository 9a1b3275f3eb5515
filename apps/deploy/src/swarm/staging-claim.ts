import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ReleaseError } from '../errors.ts';
import { identify, isAlive, type ProcessIdentity } from '../process-identity.ts';
import type { Landing } from './landing.ts';

/** A staging folder that is one fetch's alone; disposal leaves it to whoever comes next, unless it is empty. */
export interface StagingClaim extends AsyncDisposable {
  readonly folder: string;
  /** There was none of an earlier try: it is empty. */
  readonly isNew: boolean;
}

/** Those that came at the same moment all step back, and come again. */
const TRIES_MAX = 20;
const STEP_BACK_MS = 50;

/** Of this process, whose name is the same on all of its folders. */
const claimed = new Set<string>();

/**
 * Gives a fetch its staging folder. Its name has who that is for as long as it is in use; a dead one's is taken over
 * with what is in it by a rename, which only one of many can make. Who finds a living one's is refused, and looks again
 * when the own folder is there, so that of two that came at once none goes on.
 * @throws ReleaseError `fetch-running`, `write-failed`
 */
export async function claimStaging(landing: Landing): Promise<StagingClaim> {
  const self = await identify(process.pid);
  const free = stagingPath(landing, '');
  const folder = stagingPath(landing, `${self.pid}-${self.startedAt ?? ''}-${bootOf(self)}.`);
  if (claimed.has(folder)) throw running(landing, self.pid);
  claimed.add(folder);
  const leave = async (): Promise<void> => {
    await rmdir(folder)
      .catch(() => rename(folder, free))
      .catch(() => undefined);
  };
  let isNew: boolean;
  try {
    for (let tries = 0; ; tries++) {
      const others = await stagingFolders(landing, self);
      refuseLiving(landing, others);
      await mkdir(dirname(folder), { recursive: true });
      for (const { path } of others) await rename(path, folder).catch(() => undefined);
      isNew = (await mkdir(folder, { recursive: true })) !== undefined;
      try {
        refuseLiving(landing, await stagingFolders(landing, self));
        break;
      } catch (error) {
        await leave();
        if (tries === TRIES_MAX) throw error;
        await delay(STEP_BACK_MS * Math.random());
      }
    }
  } catch (cause) {
    claimed.delete(folder);
    if (cause instanceof ReleaseError) throw cause;
    throw new ReleaseError('write-failed', (cause as Error).message, { cause });
  }
  return {
    folder,
    isNew,
    async [Symbol.asyncDispose]() {
      await leave();
      claimed.delete(folder);
    },
  };
}

function stagingPath({ staging }: Landing, owner: string): string {
  return `${staging}.${owner}fetching`;
}

interface StagingFolder {
  readonly path: string;
  /** Of a process that lives. */
  readonly holder: number | undefined;
}

/** All but this process's own. */
async function stagingFolders(landing: Landing, self: ProcessIdentity): Promise<StagingFolder[]> {
  const parent = dirname(landing.target);
  const names = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found: StagingFolder[] = [];
  for (const path of names.map((name) => join(parent, name))) {
    if (!path.startsWith(`${landing.staging}.`) || !path.endsWith('fetching')) continue;
    const [, pid, startedAt, boot] =
      /^(\d+)-(\d*)-(\w*)\.$/.exec(path.slice(landing.staging.length + 1, -8)) ?? [];
    if (Number(pid) === self.pid && startedAt === (self.startedAt ?? '')) continue;
    const holder = { pid: Number(pid), startedAt: startedAt || null, bootId: self.bootId };
    const alive = pid !== undefined && boot === bootOf(self) && (await isAlive(holder));
    found.push({ path, holder: alive ? holder.pid : undefined });
  }
  return found;
}

/** Enough to tell one boot from another. */
function bootOf({ bootId }: ProcessIdentity): string {
  return bootId.slice(0, 8);
}

function refuseLiving(landing: Landing, folders: readonly StagingFolder[]): void {
  const holder = folders.find((one) => one.holder !== undefined)?.holder;
  if (holder !== undefined) throw running(landing, holder);
}

function running({ target }: Landing, pid: number): ReleaseError {
  return new ReleaseError(
    'fetch-running',
    `${target}: process ${pid} is fetching it already; wait for it, or end it and try again`,
  );
}
