import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identify, isAlive, killForSure, type ProcessIdentity } from '../process-identity.ts';
import { readJson, writeDurably } from './durable.ts';
import { HostError } from './errors.ts';
import { type HostLayout, namesIn } from './layout.ts';

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
/** As much as a lock may have to say: at least a block of the file system's. */
const ROOM = ' '.repeat(4_096);
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
        const released = JSON.stringify({ ...mine, released: true });
        await overwrite(lockPath(layout, number), released).catch(() => undefined);
      }
    },
  };
}

async function linkAs(layout: HostLayout, number: number, mine: LockFile): Promise<boolean> {
  const temporary = join(layout.own, `.lock.${mine.token}`);
  try {
    await writeOnFullDisk(layout, temporary, JSON.stringify(mine));
    await link(temporary, lockPath(layout, number));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  if ((await highest(layout)).number !== number) return false;
  const lower = (await numbers(layout)).filter((other) => other < number);
  for (const other of lower) await rename(lockPath(layout, other), roomPath(layout)).catch(() => undefined);
  if (lower.length === 0) await writeFile(roomPath(layout), ROOM, { mode: 0o600 }).catch(() => undefined);
  return true;
}

/**
 * A new file; where the disk is full, in the room that the lock before has left: who has to undo a switch on a disk
 * that is full must get the lock first.
 */
async function writeOnFullDisk(layout: HostLayout, path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    await rename(roomPath(layout), path).catch(() => {
      throw error;
    });
    await overwrite(path, text);
  }
}

/** Where the bytes before were, so that it needs no space. */
async function overwrite(path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, 0);
  await handle.truncate(bytes.length);
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

function roomPath({ own }: HostLayout): string {
  return join(own, 'room');
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
