import { closeSync, openSync } from 'node:fs';

export interface OpenFiles extends AsyncDisposable {
  /** Opens the file if it isn't open, and keeps it open at least until `work` is done. */
  use<T>(path: Buffer, work: (descriptor: number) => T | Promise<T>): Promise<T>;
}

interface OpenFile {
  readonly descriptor: number;
  users: number;
}

/**
 * Files that stay open between uses, at most `filesMax` of them; who comes while all are in use waits. The one that
 * was unused for longest is closed first. Disposal closes all, and waits for those in use.
 *
 * Opening and closing is done at once, without the thread pool: it takes microseconds, and giving it to a thread takes
 * four times that, which counts where pieces are small and files are many.
 */
export function openFiles(options: {
  readonly filesMax: number;
  readonly flags: number;
  /** Called once for each file that is opened. */
  readonly prepare?: (descriptor: number, path: Buffer) => void;
}): OpenFiles {
  // In the order of their last use.
  const files = new Map<string, OpenFile>();
  const waiting: (() => void)[] = [];

  const start = (path: Buffer): OpenFile => {
    const descriptor = openSync(path, options.flags);
    try {
      options.prepare?.(descriptor, path);
      return { descriptor, users: 0 };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  };

  const acquire = async (path: Buffer, key: string): Promise<OpenFile> => {
    for (;;) {
      const known = files.get(key);
      if (known !== undefined || files.size < options.filesMax || closeIdle()) {
        const file = known ?? start(path);
        files.delete(key);
        files.set(key, file);
        file.users++;
        return file;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  /** Whether there was one. */
  const closeIdle = (): boolean => {
    for (const [key, { descriptor, users }] of files) {
      if (users > 0) continue;
      files.delete(key);
      closeSync(descriptor);
      return true;
    }
    return false;
  };

  return {
    async use(path, work) {
      let file: OpenFile | undefined;
      try {
        file = await acquire(path, path.toString('latin1'));
        return await work(file.descriptor);
      } finally {
        // Also who could not open what it has waited for has made a place free.
        if (file !== undefined) file.users--;
        waiting.shift()?.();
      }
    },
    async [Symbol.asyncDispose]() {
      while (files.size > 0) {
        if (!closeIdle()) await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}
