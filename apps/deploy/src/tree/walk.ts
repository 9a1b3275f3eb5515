import { lstatSync, type Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { ReleaseError } from '../errors.ts';
import { type BytePath, joinPath } from '../release/path.ts';
import { createBreath } from './breath.ts';
import { diskError, onDisk } from './disk.ts';

export interface Found {
  readonly path: BytePath;
  readonly stats: Stats;
}

export interface WalkOptions {
  /** Called with the names in a folder before anything in it is looked at. */
  readonly enter?: (folder: BytePath, names: readonly BytePath[]) => Promise<void>;
  /** Things for which this is false are left out, folders with all that they hold. */
  readonly accept?: (found: Found) => boolean;
  /** What can't be listed or looked at is told here and left out; without it, throw. Not so the folder itself. */
  readonly onUnreadable?: (path: BytePath, error: ReleaseError) => void;
  /** More entries than this are refused. */
  readonly entriesMax: number;
  /** All of it was made a moment ago, so that the system remembers it: it is looked at without threads. */
  readonly justWritten?: boolean;
}

/** Enough to keep the thread pool busy. */
const LOOKS_AT_ONCE = 32;

/**
 * Everything in a folder, links not followed, in no particular order.
 * @throws ReleaseError `tree-unreadable`, `tree-changed`, `release-too-large`
 */
export async function walk(root: string, options: WalkOptions): Promise<Found[]> {
  const all: Found[] = [];
  const folders: BytePath[] = ['' as BytePath];
  const breathe = createBreath();
  const lookAt = options.justWritten === true ? lookAtOnce : look;
  const unreadable = (path: BytePath, error: ReleaseError): void => {
    if (options.onUnreadable === undefined || path === '') throw error;
    options.onUnreadable(path, error);
  };
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const names = await list(root, folder);
    if (names instanceof ReleaseError) {
      unreadable(folder, names);
      continue;
    }
    await options.enter?.(folder, names);
    for (let at = 0; at < names.length; at += LOOKS_AT_ONCE) {
      const paths = names.slice(at, at + LOOKS_AT_ONCE).map((name) => joinPath(folder!, name));
      const batch = paths.map((path) => lookAt(root, path));
      if (options.justWritten === true) await breathe();
      for (const [index, found] of (await Promise.all(batch)).entries()) {
        if (found instanceof ReleaseError) {
          unreadable(paths[index]!, found);
          continue;
        }
        if (options.accept?.(found) === false) continue;
        all.push(found);
        if (found.stats.isDirectory()) folders.push(found.path);
      }
      if (all.length > options.entriesMax) {
        throw new ReleaseError(
          'release-too-large',
          `The tree has more entries than are allowed (${options.entriesMax}).`,
        );
      }
    }
  }
  return all;
}

async function list(root: string, folder: BytePath): Promise<BytePath[] | ReleaseError> {
  try {
    return (await readdir(onDisk(root, folder), { encoding: 'latin1' })) as BytePath[];
  } catch (error) {
    return diskError(isGone(error) ? 'tree-changed' : 'tree-unreadable', folder, error);
  }
}

async function look(root: string, path: BytePath): Promise<Found | ReleaseError> {
  try {
    return { path, stats: await lstat(onDisk(root, path)) };
  } catch (error) {
    return diskError(isGone(error) ? 'tree-changed' : 'tree-unreadable', path, error);
  }
}

function lookAtOnce(root: string, path: BytePath): Found | ReleaseError {
  try {
    return { path, stats: lstatSync(onDisk(root, path)) };
  } catch (error) {
    return diskError(isGone(error) ? 'tree-changed' : 'tree-unreadable', path, error);
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
