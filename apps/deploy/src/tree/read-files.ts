import {
  closeSync,
  fstatSync,
  open as openCallback,
  openSync,
  read as readCallback,
  readSync,
  type Stats,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import { type BytePath, displayPath } from '../release/path.ts';
import { createBreath } from './breath.ts';
import { type Buffers, createBuffers } from './buffers.ts';
import { diskError, onDisk, READ_FLAGS } from './disk.ts';
import { isSameStamp } from './stamp.ts';

const openFile = promisify(openCallback);
const readBytes = promisify(readCallback);

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
/** What was just written may be gone from memory all the same. */
const SLOW_MS = 20;
const SLOW_FOR_MS = 2_000;

export interface ReadBuffers {
  readonly wholes: Buffers;
  readonly blocks: Buffers;
}

/** For who reads files several times. They take memory when they are first needed. */
export function createReadBuffers(): ReadBuffers {
  return {
    wholes: createBuffers(SMALL_FILE_BYTES + 1, FILES_AHEAD * (SMALL_FILE_BYTES + 1)),
    // Two blocks: the disk fills one while the other is hashed.
    blocks: createBuffers(BLOCK_BYTES, 2 * BLOCK_BYTES),
  };
}

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
    /** They were written a moment ago, and so are in memory: small ones are read at once, without threads. */
    readonly justWritten?: boolean;
    /** Of other files that were read before. */
    readonly buffers?: ReadBuffers;
  } = {},
): Promise<void> {
  const breathe = createBreath();
  const { wholes, blocks } = options.buffers ?? createReadBuffers();
  let slowUntil = 0;
  const isAtOnce = (): boolean => options.justWritten === true && performance.now() >= slowUntil;
  const read = async (file: FileToRead): Promise<Buffer | ReleaseError> => {
    if (!isAtOnce()) return readWhole(root, file, wholes);
    const began = performance.now();
    const bytes = await told(file, () => readAtOnce(root, file, wholes));
    const ended = performance.now();
    if (ended - began > SLOW_MS) slowUntil = ended + SLOW_FOR_MS;
    return bytes;
  };
  const ahead: (Promise<Buffer | ReleaseError> | undefined)[] = [];
  let next = 0;
  for (const [number, file] of files.entries()) {
    for (; next < files.length && next < number + (isAtOnce() ? 1 : FILES_AHEAD); next++) {
      const small = files[next]!.stats.size <= SMALL_FILE_BYTES;
      ahead.push(small ? read(files[next]!) : undefined);
    }
    const whole = await ahead.shift();
    if (options.justWritten === true) await breathe();
    const error =
      whole === undefined
        ? await readInBlocks(root, file, sink, blocks, options.onBytes)
        : giveWhole(file, whole, sink, options.onBytes);
    if (whole instanceof Buffer) wholes.give(whole);
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
// hot: by file handles, with all four calls in the thread pool, 100,000 files took twice the time.
async function readWhole(root: string, file: FileToRead, wholes: Buffers): Promise<Buffer | ReleaseError> {
  return await told(file, async () => {
    const descriptor = await openFile(onDisk(root, file.path), READ_FLAGS);
    try {
      // One byte more than there should be, to see a file that has grown.
      const bytes = wholes.take(file.stats.size + 1);
      const { bytesRead } = await readBytes(descriptor, bytes, 0, bytes.length, 0);
      return ifWhole(file, descriptor, bytes.subarray(0, bytesRead));
    } finally {
      closeSync(descriptor);
    }
  });
}

function readAtOnce(root: string, file: FileToRead, wholes: Buffers): Buffer | ReleaseError {
  const descriptor = openSync(onDisk(root, file.path), READ_FLAGS);
  try {
    const bytes = wholes.take(file.stats.size + 1);
    return ifWhole(file, descriptor, bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(descriptor);
  }
}

function ifWhole(file: FileToRead, descriptor: number, bytes: Buffer): Buffer | ReleaseError {
  const whole = bytes.length === file.stats.size && isSameStamp(file.stats, fstatSync(descriptor));
  return whole ? bytes : changed(file.path);
}

async function readInBlocks(
  root: string,
  file: FileToRead,
  sink: ContentSink,
  buffers: Buffers,
  onBytes: ((count: number) => void) | undefined,
): Promise<ReleaseError | undefined> {
  const blocks = [buffers.take(BLOCK_BYTES), buffers.take(BLOCK_BYTES)];
  const result = await told(file, async () => {
    await using handle = await open(onDisk(root, file.path), READ_FLAGS);
    sink.begin(file);
    let offset = 0;
    let reading = fill(handle, blocks[0]!, 0);
    for (let turn = 0; ; turn++) {
      const length = await reading;
      // Asked after reading, so that one look covers both: another file than the one found, and one written to since.
      if (length === 0) return isSameStamp(file.stats, await handle.stat()) ? undefined : changed(file.path);
      offset += length;
      if (offset > file.stats.size) throw changed(file.path);
      reading = fill(handle, blocks[(turn + 1) % 2]!, offset);
      // If the sink throws, this read is still awaited by the handle's close.
      reading.catch(ignoreUntilAwaited);
      sink.bytes(blocks[turn % 2]!.subarray(0, length));
      onBytes?.(length);
    }
  });
  for (const block of blocks) buffers.give(block);
  if (result === undefined) sink.end();
  return result;
}

/** Gives back what `read` gives, or why this file can't be had. */
async function told<T>(file: FileToRead, read: () => T | Promise<T>): Promise<T | ReleaseError> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ReleaseError) return error;
    const { code } = error as NodeJS.ErrnoException;
    // ELOOP: a link has taken its place.
    const gone = code === 'ENOENT' || code === 'ELOOP';
    return diskError(gone ? 'tree-changed' : 'tree-unreadable', file.path, error);
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
