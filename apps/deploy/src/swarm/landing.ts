import { constants } from 'node:fs';
import { lstat, mkdir, readdir, readlink, rename, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ReleaseError } from '../errors.ts';
import type { Release } from '../release/container.ts';
import type { Layout } from '../release/layout.ts';
import type { BytePath } from '../release/path.ts';
import { onDisk } from '../tree/disk.ts';
import { syncPath } from '../tree/sync.ts';

/** Where a tree is built before it becomes the folder that was asked for, whole or not at all. */
export interface Landing {
  readonly target: string;
  /**
   * Beside the target, so that a rename is enough. As planned, it is how the names of all tries at the same release
   * begin; then it is the folder of one.
   */
  readonly staging: string;
}

export function planLanding(to: string, { id }: Release): Landing {
  const target = resolve(to);
  return { target, staging: join(dirname(target), `.${basename(target)}.${id.slice(0, 16)}`) };
}

/**
 * Whether there is something at the target, other than an empty folder.
 * @throws ReleaseError `target-exists`: it can be none
 */
export async function isOccupied(target: string): Promise<boolean> {
  try {
    if ((await readdir(target)).length > 0) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw occupied(target, error);
  }
  // Nor gives a link way to the rename, wherever it leads.
  if (await isLink(target)) throw occupied(target);
  return false;
}

async function isLink(path: string): Promise<boolean> {
  return readlink(path).then(
    () => true,
    () => false,
  );
}

function occupied(target: string, cause?: unknown): ReleaseError {
  return new ReleaseError('target-exists', `${target}: there is something else there already`, { cause });
}

/**
 * Says before anything is made that the tree has no room.
 * @param isNew nothing of an earlier try is in the staging folder
 * @throws ReleaseError `disk-full`, `write-failed`
 */
export async function checkRoom({ target, staging }: Landing, layout: Layout, isNew: boolean): Promise<void> {
  const folder = dirname(target);
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize, frsize = bsize, files, ffree } = await statfs(folder);
    const free = bavail * frsize;
    // Some say the size of their largest blocks; a small file takes less.
    const block = Math.min(frsize, BLOCK_BYTES);
    const entries = layout.manifest.entries.filter((entry) => entry.kind === 'file');
    let needed = 0;
    let names = 0;
    for (let at = 0; at < entries.length; at += LOOKS_AT_ONCE) {
      const some = entries.slice(at, at + LOOKS_AT_ONCE);
      const taken = isNew ? [] : await Promise.all(some.map(({ path }) => takenBytes(staging, path)));
      for (const [i, { size }] of some.entries()) {
        needed += Math.max(0, Math.ceil(size / block) * block - (taken[i] ?? 0));
        if (size > 0 && taken[i] === undefined) names++;
      }
    }
    if (free < needed) throw noRoom(folder, `${needed} more bytes, and ${free} are free`);
    // Of a file system that counts them.
    if (files > 0 && ffree < names) throw noRoom(folder, `${names} more files, and it has room for ${ffree}`);
  } catch (error) {
    if (error instanceof ReleaseError) throw error;
    throw new ReleaseError('write-failed', `${folder}: ${(error as Error).message}`, { cause: error });
  }
}

const BLOCK_BYTES = 4_096;
const LOOKS_AT_ONCE = 32;

function noRoom(folder: string, why: string): ReleaseError {
  return new ReleaseError('disk-full', `${folder}: the tree needs ${why}; make room and try again`);
}

/** What an earlier try has left takes its room already. */
async function takenBytes(staging: string, path: BytePath): Promise<number | undefined> {
  try {
    return (await lstat(onDisk(staging, path))).blocks * 512;
  } catch {
    return undefined;
  }
}

/** @throws ReleaseError `target-exists`, `write-failed` */
export async function land({ target, staging }: Landing): Promise<void> {
  try {
    // An empty folder gives way; anything else doesn't.
    await rename(staging, target);
    await syncAbove({ target });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const taken = code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR';
    throw taken
      ? occupied(target, cause)
      : new ReleaseError('write-failed', `${target}: ${message}`, { cause });
  }
}

/** Makes the name survive a power cut. */
export function syncAbove({ target }: Pick<Landing, 'target'>): Promise<void> {
  // The folder above may be reached through a link.
  return syncPath(Buffer.from(dirname(target)), constants.O_RDONLY);
}
