import type { Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import { type BytePath, displayPath } from '../release/path.ts';
import { diskError, onDisk, READ_FLAGS } from './disk.ts';

/** A file as the walk found it. What is read must be just that file, unchanged. */
export interface FileToRead {
  readonly path: BytePath;
  readonly executable: boolean;
  readonly stats: Stats;
}

/** Files up to here are read whole, several ahead of the one at hand; larger ones block by block. */
const SMALL_FILE_BYTES = 256 * 1024;
const FILES_AHEAD = 24;
const BLOCK_BYTES = 1024 * 1024;

/**
 * Gives the files' bytes to the sink, in the order given. At most FILES_AHEAD files are open, and about 8 MiB in memory.
 * @param onFailure what to do about a file that can't be read or has changed; without it, throw. The sink has then
 * seen its beginning at most, and not its end.
 * @throws ReleaseError `tree-unreadable`, `tree-changed`
 */
export async function readFiles(
  root: string,
  files: readonly FileToRead[],
  sink: ContentSink,
  options: {
    readonly onBytes?: (count: number) => void;
    readonly onFailure?: (file: FileToRead, error: ReleaseError) => void;
  } = {},
): Promise<void> {
  const ahead: (Promise<Buffer | ReleaseError> | undefined)[] = [];
  let next = 0;
  for (const [number, file] of files.entries()) {
    for (; next < files.length && next < number + FILES_AHEAD; next++) {
      const small = files[next]!.stats.size <= SMALL_FILE_BYTES;
      ahead.push(small ? readWhole(root, files[next]!) : undefined);
    }
    const whole = await ahead.shift();
    const error =
      whole === undefined
        ? await readInBlocks(root, file, sink, options.onBytes)
        : giveWhole(file, whole, sink, options.onBytes);
    if (error === undefined) continue;
    if (options.onFailure === undefined) {
      // The files ahead are open still.
      await Promise.all(ahead);
      throw error;
    }
    options.onFailure(file, error);
  }
}

function giveWhole(
  file: FileToRead,
  bytes: Buffer | ReleaseError,
  sink: ContentSink,
  onBytes: ((count: number) => void) | undefined,
): ReleaseError | undefined {
  if (bytes instanceof ReleaseError) return bytes;
  sink.begin(file);
  sink.bytes(bytes);
  sink.end();
  onBytes?.(bytes.length);
  return undefined;
}

/** Resolves to the error instead of rejecting: nobody listens before its turn comes. */
async function readWhole(root: string, file: FileToRead): Promise<Buffer | ReleaseError> {
  return await withFile(root, file, async (handle) => {
    // One byte more than there should be, to see a file that has grown.
    const bytes = Buffer.allocUnsafeSlow(file.stats.size + 1);
    const length = await fill(handle, bytes, 0);
    return bytes.subarray(0, length);
  });
}

async function readInBlocks(
  root: string,
  file: FileToRead,
  sink: ContentSink,
  onBytes: ((count: number) => void) | undefined,
): Promise<ReleaseError | undefined> {
  const result = await withFile(root, file, async (handle) => {
    sink.begin(file);
    // Two blocks: the disk fills one while the other is hashed.
    const blocks = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
    let offset = 0;
    let reading = fill(handle, blocks[0]!, 0);
    for (let turn = 0; ; turn++) {
      const length = await reading;
      if (length === 0) return undefined;
      offset += length;
      if (offset > file.stats.size) throw changed(file.path);
      reading = fill(handle, blocks[(turn + 1) % 2]!, offset);
      // If the sink throws, this read is still awaited by the handle's close.
      reading.catch(ignoreUntilAwaited);
      sink.bytes(blocks[turn % 2]!.subarray(0, length));
      onBytes?.(length);
    }
  });
  if (result === undefined) sink.end();
  return result;
}

/** Gives back what `read` gives, or why this file can't be had as it was found. */
async function withFile<T>(
  root: string,
  file: FileToRead,
  read: (handle: FileHandle) => Promise<T>,
): Promise<T | ReleaseError> {
  try {
    await using handle = await open(onDisk(root, file.path), READ_FLAGS);
    const result = await read(handle);
    // Afterwards, so that one look covers both: another file than the one found, and one written to since.
    const now = await handle.stat();
    const { stats } = file;
    const same =
      now.ino === stats.ino &&
      now.dev === stats.dev &&
      now.size === stats.size &&
      now.mtimeMs === stats.mtimeMs &&
      now.ctimeMs === stats.ctimeMs;
    return same ? result : changed(file.path);
  } catch (error) {
    if (error instanceof ReleaseError) return error;
    const { code } = error as NodeJS.ErrnoException;
    // ELOOP: a link has taken its place.
    return diskError(
      code === 'ENOENT' || code === 'ELOOP' ? 'tree-changed' : 'tree-unreadable',
      file.path,
      error,
    );
  }
}

async function fill(handle: FileHandle, into: Buffer, offset: number): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const { bytesRead } = await handle.read(into, length, into.length - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

function changed(path: BytePath): ReleaseError {
  return new ReleaseError('tree-changed', `${displayPath(path)}: the file changed while it was read`);
}

function ignoreUntilAwaited(): undefined {
  return undefined;
}
