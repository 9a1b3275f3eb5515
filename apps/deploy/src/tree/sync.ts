import { execFile } from 'node:child_process';
import { closeSync, constants, type Dirent, fsync, lstatSync, openSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ReleaseError } from '../errors.ts';
import type { Layout } from '../release/layout.ts';
import type { FileEntry } from '../release/manifest.ts';
import { onDisk } from './disk.ts';

/** Above that one `sync` of the whole file system is quicker than one for each file. */
const FILES_SYNCED_ONE_BY_ONE = 2_000;
const SYNCS_AT_ONCE = 16;
const sync = promisify(fsync);

/** Files are synced one by one, and not with all else that is on their file system. */
export function isSyncedByFile({ manifest }: Layout): boolean {
  let files = 0;
  for (const { kind } of manifest.entries) if (kind === 'file') files++;
  return files <= FILES_SYNCED_ONE_BY_ONE;
}

/**
 * Makes the tree survive a power cut, before anything says that it is there.
 * @param isSynced files that were synced already, going by what they look like now
 * @throws ReleaseError `write-failed`
 */
export async function syncTree(
  folder: string,
  layout: Layout,
  isSynced: (file: FileEntry, stats: Stats) => boolean = () => false,
): Promise<void> {
  try {
    if (isSyncedByFile(layout) || !(await syncFileSystem(folder))) {
      await syncFiles(folder, layout, isSynced);
      await syncFolders(Buffer.from(folder));
    }
  } catch (cause) {
    throw syncError(folder, cause);
  }
}

export function syncError(folder: string, cause: unknown): ReleaseError {
  const { message } = cause as Error;
  return new ReleaseError('write-failed', `${folder}: ${message}; is another fetch at work there?`, {
    cause,
  });
}

/** Whether it could be done: not everywhere is there a `sync` that takes a folder. */
async function syncFileSystem(folder: string): Promise<boolean> {
  try {
    await promisify(execFile)('sync', ['-f', folder]);
    return true;
  } catch {
    return false;
  }
}

async function syncFiles(
  folder: string,
  { manifest }: Layout,
  isSynced: (file: FileEntry, stats: Stats) => boolean,
): Promise<void> {
  const entries = manifest.entries.values();
  const work = async (): Promise<void> => {
    for (const entry of entries) {
      if (entry.kind !== 'file') continue;
      const path = onDisk(folder, entry.path);
      if (!isSynced(entry, lstatSync(path))) await syncPath(path);
    }
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, work));
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

/** Only syncing waits for the disk; a thread for opening and closing, too, would take longer than they do. */
export async function syncPath(
  path: Buffer,
  flags: number = constants.O_RDONLY | constants.O_NOFOLLOW,
): Promise<void> {
  const descriptor = openSync(path, flags);
  try {
    await sync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
