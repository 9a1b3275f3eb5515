import { type FileHandle, open } from 'node:fs/promises';

export interface OpenFiles extends AsyncDisposable {
  /** Opens the file if it isn't open, and keeps it open at least until `work` is done. */
  use<T>(path: Buffer, work: (handle: FileHandle) => Promise<T>): Promise<T>;
}

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/**
 * Files that stay open between uses, at most `filesMax` of them; who comes while all are in use waits. The one that
 * was unused for longest is closed first.
 */
export function openFiles(options: {
  readonly filesMax: number;
  readonly flags: number;
  readonly mode?: number;
  /** Called once for each file that is opened. */
  readonly prepare?: (handle: FileHandle, path: Buffer) => Promise<void>;
}): OpenFiles {
  // In the order of their last use.
  const files = new Map<string, OpenFile>();
  const waiting: (() => void)[] = [];

  const start = async (path: Buffer): Promise<FileHandle> => {
    const handle = await open(path, options.flags, options.mode);
    try {
      await options.prepare?.(handle, path);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  };

  const acquire = async (path: Buffer, key: string): Promise<OpenFile> => {
    for (;;) {
      const known = files.get(key);
      if (known !== undefined || files.size < options.filesMax) {
        const file = known ?? { handle: start(path), users: 0 };
        files.delete(key);
        files.set(key, file);
        file.users++;
        return file;
      }
      const idle = [...files].find(([, { users }]) => users === 0);
      if (idle === undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      else {
        files.delete(idle[0]);
        await idle[1].handle.then((handle) => handle.close());
      }
    }
  };

  return {
    async use(path, work) {
      const key = path.toString('latin1');
      const file = await acquire(path, key);
      try {
        return await work(await file.handle);
      } catch (error) {
        // A file that could not be opened must be tried anew the next time.
        if (files.get(key) === file && (await failed(file.handle))) files.delete(key);
        throw error;
      } finally {
        file.users--;
        waiting.shift()?.();
      }
    },
    async [Symbol.asyncDispose]() {
      const open = [...files.values()];
      files.clear();
      await Promise.all(open.map(async ({ handle }) => (await failed(handle)) || (await handle).close()));
    },
  };
}

function failed(handle: Promise<FileHandle>): Promise<boolean> {
  return handle.then(
    () => false,
    () => true,
  );
}
