import { lstatSync, type Stats } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Layout } from '../release/layout.ts';
import type { FileEntry } from '../release/manifest.ts';
import { createBreath } from './breath.ts';
import { hashingSink } from './compare.ts';
import { onDisk } from './disk.ts';
import { createReadBuffers, type FileToRead, readFiles } from './read-files.ts';
import { isSameStamp, isSettled, type Stamp, stampOf } from './stamp.ts';
import { isSyncedByFile, syncError, syncPath } from './sync.ts';
import { createWholeFiles } from './whole-files.ts';

/**
 * Reads, hashes and syncs the files of a tree that is still being written, each when it is whole, so that little is
 * left for the end. It finds nothing wrong and mends nothing: what isn't verified and synced by it, or has changed
 * since, is left to the comparison of the whole tree, and to its syncing.
 */
export interface VerifiedFiles extends AsyncDisposable {
  /** A piece is in all its places. */
  wrote(piece: number): void;
  /**
   * Begins nothing more; resolves when nothing is under way.
   * @throws ReleaseError `write-failed`: a file couldn't be synced
   */
  stop(): Promise<void>;
  /** Whether the file had the right bytes, and is what it was then. */
  isVerified(file: FileEntry, stats: Stats): boolean;
  /** The same, and it was synced since. */
  isSynced(file: FileEntry, stats: Stats): boolean;
}

/** Files are looked at together, and when they were written some time ago: see `isSettled`. */
const LOOK_EVERY_MS = 200;
/** It can be stopped between so many. */
const FILES_TOGETHER = 32;
/** The thread pool has four threads, and pieces are read and written by it, too. */
const SYNCS_BESIDE = 2;

/**
 * @param options.has pieces that are written already
 * @param options.onFailure called at once with what `stop` throws
 * @param options.sync for tests
 */
export function verifyFiles(options: {
  readonly layout: Layout;
  readonly folder: string;
  readonly has: (piece: number) => boolean;
  readonly onFailure: (error: unknown) => void;
  readonly sync?: (path: Buffer) => Promise<void>;
}): VerifiedFiles {
  const { layout, folder, sync = syncPath } = options;
  const files = createWholeFiles(layout, options.has);
  const syncs = isSyncedByFile(layout);
  const verified = new Map<FileEntry, Stamp>();
  const synced = new Set<FileEntry>();
  const buffers = createReadBuffers();
  const stopping = new AbortController();
  const { signal } = stopping;
  let whole: FileEntry[] = [...files.before];
  const unsynced: FileEntry[] = [];
  let verifying: Promise<void> | undefined;
  const syncing = new Set<Promise<void>>();
  const breathe = createBreath();
  let failure: { readonly error: unknown } | undefined;

  const verifyAll = async (): Promise<void> => {
    let settling: FileEntry[] = [];
    while (whole.length > 0 || settling.length > 0) {
      const due = settling;
      settling = whole;
      whole = [];
      for (let at = 0; at < due.length && !signal.aborted; at += FILES_TOGETHER) {
        await verify(due.slice(at, at + FILES_TOGETHER));
        await breathe();
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  };

  const verify = async (entries: readonly FileEntry[]): Promise<void> => {
    const found = entries.flatMap((entry) => look(folder, entry) ?? []);
    const stamps = new Map(found.map(({ entry, stats }) => [entry, stampOf(stats)]));
    const sink = hashingSink(found, (entry, isRight) => {
      if (!isRight) return;
      verified.set(entry, stamps.get(entry)!);
      if (syncs) unsynced.push(entry);
    });
    await readFiles(folder, found, sink, { justWritten: true, buffers, onFailure: () => undefined });
    while (unsynced.length > 0 && syncing.size < SYNCS_BESIDE) {
      const one = syncAll().finally(() => syncing.delete(one));
      syncing.add(one);
    }
  };

  const syncAll = async (): Promise<void> => {
    for (let file = unsynced.shift(); file !== undefined && !signal.aborted; file = unsynced.shift()) {
      try {
        await sync(onDisk(folder, file.path));
        synced.add(file);
      } catch (error) {
        // Gone meanwhile: the comparison will say so.
        if ((error as NodeJS.ErrnoException).syscall === 'open') continue;
        failure ??= { error: syncError(folder, error) };
        stopping.abort();
        options.onFailure(failure.error);
      }
    }
  };

  const begin = (): void => {
    if (whole.length === 0 || verifying !== undefined || signal.aborted) return;
    verifying = verifyAll().finally(() => {
      verifying = undefined;
      begin();
    });
  };

  const rest = async (): Promise<void> => {
    stopping.abort();
    await verifying;
    await Promise.all(syncing);
  };

  const isVerified = (file: FileEntry, stats: Stats): boolean => {
    const stamp = verified.get(file);
    return stamp !== undefined && isSameStamp(stamp, stats);
  };

  begin();
  return {
    wrote(piece) {
      whole.push(...files.wrote(piece));
      begin();
    },
    async stop() {
      await rest();
      if (failure !== undefined) throw failure.error;
    },
    isVerified,
    isSynced: (file, stats) => synced.has(file) && isVerified(file, stats),
    [Symbol.asyncDispose]: rest,
  };
}

function look(folder: string, entry: FileEntry): (FileToRead & { readonly entry: FileEntry }) | undefined {
  const { path, executable, size } = entry;
  try {
    const stats = lstatSync(onDisk(folder, path));
    if (!stats.isFile() || stats.size !== size || !isSettled(stats, Date.now())) return undefined;
    return { path, executable, stats, entry };
  } catch {
    return undefined;
  }
}
