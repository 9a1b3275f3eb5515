import { randomUUID } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, writeDurably } from './durable.ts';
import { HostError } from './errors.ts';
import { type HostLayout, namesIn } from './layout.ts';
import { identify, isAlive, killForSure, type ProcessIdentity } from './process-identity.ts';

/** Who works on a host. */
export interface LockHolder {
  readonly deployment: string;
  /** `ann@laptop`. */
  readonly owner: string;
  /** RFC 3339, by the host's clock. */
  readonly at: string;
  readonly pid: number;
  /** A dead one holds nothing: the next who comes takes over. */
  readonly alive: boolean;
}

export interface HeldLock {
  /** @throws HostError `lock-lost` */
  check(): Promise<void>;
  release(): Promise<void>;
}

interface LockFile extends ProcessIdentity {
  readonly token: string;
  readonly deployment: string;
  readonly owner: string;
  readonly at: string;
  readonly released?: true;
}

const LOCK_FILE = /^lock\.(\d{1,15})$/;
/** Others may come between the look and the link so often, and no more. */
const TRIES_MAX = 20;

/**
 * Takes the lock. The highest number counts; whoever links the next one first has it, and it is sure of that only
 * after another look: with a lower number than somebody else's it has nothing. So two that find a dead holder at the
 * same time can't both take over.
 * @throws HostError `locked`
 */
export async function takeLock(
  layout: HostLayout,
  who: { readonly deployment: string; readonly owner: string },
): Promise<HeldLock> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const { number, file } = await highest(layout);
    if (file !== undefined && file.released !== true && (await isAlive(file))) {
      if (file.deployment !== who.deployment) throw locked(layout, file);
      // This deployment's own, which was thought lost: it must not come alive later.
      await end(file);
    }
    const mine: LockFile = {
      ...(await identify(process.pid)),
      token: randomUUID(),
      deployment: who.deployment,
      owner: who.owner,
      at: new Date().toISOString(),
    };
    if (await linkAs(layout, number + 1, mine)) return held(layout, number + 1, mine);
  }
  throw new HostError('locked', `${layout.own}: others take the lock all the time; try again`);
}

/** Ends whoever has the lock; resolves to who that was. */
export async function breakLock(layout: HostLayout): Promise<LockHolder | null> {
  const { file } = await highest(layout);
  if (file === undefined || file.released === true) return null;
  const holder = await asHolder(file);
  if (holder.alive) await end(file);
  const { number } = await highest(layout);
  await writeDurably(lockPath(layout, number), JSON.stringify({ ...file, released: true }));
  return holder;
}

/** Null when nobody has it. */
export async function lockHolder(layout: HostLayout): Promise<LockHolder | null> {
  const { file } = await highest(layout);
  return file === undefined || file.released === true ? null : asHolder(file);
}

function held(layout: HostLayout, number: number, mine: LockFile): HeldLock {
  const isMine = async (): Promise<boolean> => {
    const now = await highest(layout);
    return now.number === number && now.file?.token === mine.token && now.file.released !== true;
  };
  return {
    async check() {
      if (await isMine()) return;
      throw new HostError(
        'lock-lost',
        `${layout.own}: the lock was taken away by unlock, or by another push`,
      );
    },
    async release() {
      if (await isMine()) {
        // Never removed: its number must not be given again while somebody may still look at it.
        await writeFile(lockPath(layout, number), JSON.stringify({ ...mine, released: true })).catch(
          () => undefined,
        );
      }
    },
  };
}

async function linkAs(layout: HostLayout, number: number, mine: LockFile): Promise<boolean> {
  const temporary = join(layout.own, `.lock.${mine.token}`);
  await writeFile(temporary, JSON.stringify(mine), { mode: 0o600, flag: 'wx' });
  try {
    await link(temporary, lockPath(layout, number));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  if ((await highest(layout)).number !== number) return false;
  for (const other of await numbers(layout))
    if (other < number) await rm(lockPath(layout, other), { force: true });
  return true;
}

async function highest(
  layout: HostLayout,
): Promise<{ readonly number: number; readonly file: LockFile | undefined }> {
  const number = Math.max(0, ...(await numbers(layout)));
  return { number, file: number === 0 ? undefined : await readJson<LockFile>(lockPath(layout, number)) };
}

async function numbers({ own }: HostLayout): Promise<number[]> {
  return (await namesIn(own)).flatMap((name) => {
    const match = LOCK_FILE.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

function lockPath({ own }: HostLayout, number: number): string {
  return join(own, `lock.${number}`);
}

async function asHolder(file: LockFile): Promise<LockHolder> {
  const { deployment, owner, at, pid } = file;
  return { deployment, owner, at, pid, alive: await isAlive(file) };
}

async function end(file: LockFile): Promise<void> {
  if (file.pid === process.pid || (await killForSure(file))) return;
  throw new HostError('locked', `Process ${file.pid} of ${file.owner} has the lock, and could not be ended`);
}

function locked({ root }: HostLayout, { owner, at, pid }: LockFile): HostError {
  return new HostError(
    'locked',
    `${root}: ${owner} has been deploying here since ${at} (process ${pid}); wait, or end that with unlock`,
  );
}
