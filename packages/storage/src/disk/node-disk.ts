import * as fs from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Disk, DiskError, type DiskFile } from './disk.ts';

/** The machine's own disk. */
export const nodeDisk: Disk = {
  makeDirectory: (path) => owned(() => makeDirectory(resolve(path))),
  list: (path) => owned(() => readdir(path)),
  open: (path, options) => owned(async () => nodeFile(await openSoon(path, options.create ? 'wx+' : 'r+'))),
  rename: (from, to) => owned(() => rename(from, to)),
  remove: (path) => owned(() => rm(path)),
  syncDirectory: (path) => owned(() => syncDirectory(path)),
  lock: (path) => owned(async () => lock(path)),
};

/** How often and how soon an opening is tried again that found no file descriptor: 10 s in all. */
const OPEN_TRIES = 200;
const OPEN_AGAIN_MS = 50;

/** A crowd of clients may take all file descriptors for a moment: no reason for a log to end. */
async function openSoon(path: string, flags: string): Promise<FileHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await open(path, flags);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'EMFILE' && code !== 'ENFILE') || tries === OPEN_TRIES) throw error;
      await delay(OPEN_AGAIN_MS);
    }
  }
}

function nodeFile(handle: FileHandle): DiskFile {
  const { fd } = handle;
  return {
    // Synchronous: handing bytes to the page cache takes less than a trip through the thread pool.
    write(buffer, start, length, position) {
      try {
        return fs.writeSync(fd, buffer, start, length, position);
      } catch (error) {
        throw diskError(error);
      }
    },
    read: (buffer, position) =>
      owned(async () => {
        let filled = 0;
        while (filled < buffer.length) {
          const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return filled;
      }),
    // fdatasync covers the size of the file, all of its metadata that reading back needs.
    sync: () => owned(() => handle.datasync()),
    truncate: (length) => owned(() => handle.truncate(length)),
    size: () => owned(async () => (await handle.stat()).size),
    close: () => owned(() => handle.close()),
  };
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  // A folder's name is durable when its parent is synced: from the deepest up to the parent of the first made.
  for (let made = path; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows can't open folders; NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const handle = await openSoon(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CANTOPEN = 14;

/**
 * Node has no advisory locks of its own. A SQLite file that stands in an exclusive transaction has one from the
 * operating system, on each platform, without a native add-on, and it dies with the process.
 */
function lock(path: string): { release(): Promise<void> } {
  const { DatabaseSync } = loadSqlite();
  let database: InstanceType<typeof DatabaseSync> | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE;');
  } catch (error) {
    database?.close();
    const { errcode } = error as { errcode?: number };
    // Low byte, because the rest says in which way.
    const code = errcode === undefined ? undefined : errcode & 0xff;
    if (code === SQLITE_BUSY) {
      throw new DiskError('ELOCKED', `Another process holds ${path}.`, { cause: error });
    }
    const why =
      code === SQLITE_CANTOPEN
        ? 'it is no file, or this user may not write it or its folder.'
        : (error as Error).message;
    throw new DiskError('EIO', `Cannot lock ${path}: ${why}`, { cause: error });
  }
  const held = database;
  return {
    release: async () => held.close(),
  };
}

// node:sqlite announces itself as experimental on Node 24: of no use to whoever runs a server. Only this one
// announcement is held back, only while the module loads.
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes('SQLite')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return createRequire(import.meta.url)('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function owned<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error);
  }
}

function diskError(error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  // EDQUOT is a full disk with another name: the same way out helps.
  return new DiskError(code === 'EDQUOT' ? 'ENOSPC' : (code ?? 'EIO'), message, { cause: error });
}
