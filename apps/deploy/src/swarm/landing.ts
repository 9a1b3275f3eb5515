import { execFile } from 'node:child_process';
import { constants, type Dirent } from 'node:fs';
import { mkdir, open, readdir, rename, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ReleaseError } from '../errors.ts';
import type { Release } from '../release/container.ts';
import type { Layout } from '../release/layout.ts';
import { onDisk } from '../tree/disk.ts';

/** Where a tree is built before it becomes the folder that was asked for, whole or not at all. */
export interface Landing {
  readonly target: string;
  /** Beside the target, so that a rename is enough. The same for every try at the same release. */
  readonly staging: string;
}

export function planLanding(to: string, { id }: Release): Landing {
  const target = resolve(to);
  return { target, staging: join(dirname(target), `.${basename(target)}.${id.slice(0, 16)}.fetching`) };
}

/** Whether there is something at the target, other than an empty folder. */
export async function isOccupied(target: string): Promise<boolean> {
  try {
    return (await readdir(target)).length > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new ReleaseError('target-exists', `${target}: there is something else there already`, {
      cause: error,
    });
  }
}

/**
 * Says before the first byte is fetched that the tree has no room.
 * @param hasBytes of the payload, which are there already
 * @throws ReleaseError `disk-full`, `write-failed`
 */
export async function checkRoom({ target }: Landing, layout: Layout, hasBytes: number): Promise<void> {
  const folder = dirname(target);
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    let needed = 0;
    for (const entry of layout.manifest.entries) {
      if (entry.kind === 'file') needed += Math.ceil(entry.size / bsize) * bsize;
    }
    needed -= Math.min(needed, hasBytes);
    if (bavail * bsize >= needed) return;
    throw new ReleaseError(
      'disk-full',
      `${folder}: the tree needs ${needed} more bytes, and ${bavail * bsize} are free; make room and try again`,
    );
  } catch (error) {
    if (error instanceof ReleaseError) throw error;
    throw new ReleaseError('write-failed', `${folder}: ${(error as Error).message}`, { cause: error });
  }
}

/** Above that one `sync` of the whole file system is quicker than one for each file. */
const FILES_SYNCED_ONE_BY_ONE = 2_000;
const SYNCS_AT_ONCE = 16;

/** Makes the tree survive a power cut, before anything says that it is there. */
export async function syncTree(folder: string, layout: Layout): Promise<void> {
  const files = layout.manifest.entries.filter(({ kind }) => kind === 'file');
  if (files.length > FILES_SYNCED_ONE_BY_ONE) {
    try {
      await promisify(execFile)('sync', ['-f', folder]);
      return;
    } catch {
      // Not everywhere is there a sync that takes a folder.
    }
  }
  const paths = files.map(({ path }) => onDisk(folder, path)).values();
  const work = async (): Promise<void> => {
    for (const path of paths) await syncPath(path);
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, work));
  await syncFolders(Buffer.from(folder));
}

/** @throws ReleaseError `target-exists`, `write-failed` */
export async function land({ target, staging }: Landing): Promise<void> {
  try {
    // An empty folder gives way; anything else doesn't.
    await rename(staging, target);
    // The folder above may be reached through a link.
    await syncPath(Buffer.from(dirname(target)), constants.O_RDONLY);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const taken = code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR';
    throw new ReleaseError(
      taken ? 'target-exists' : 'write-failed',
      taken ? `${target}: there is something else there already` : `${target}: ${message}`,
      { cause },
    );
  }
}

async function syncFolders(folder: Buffer): Promise<void> {
  for (const entry of (await readdir(folder, {
    withFileTypes: true,
    encoding: 'buffer',
  })) as unknown as Dirent<Buffer>[]) {
    if (entry.isDirectory()) await syncFolders(Buffer.concat([folder, Buffer.from('/'), entry.name]));
  }
  await syncPath(folder);
}

async function syncPath(
  path: Buffer,
  flags: number = constants.O_RDONLY | constants.O_NOFOLLOW,
): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
