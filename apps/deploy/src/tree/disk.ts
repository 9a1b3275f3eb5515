import { constants } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import { type BytePath, displayPath, pathToBytes } from '../release/path.ts';

const SLASH = Buffer.from('/');

/** Where a path of the tree is on this machine. */
export function onDisk(root: string, path: BytePath): Buffer {
  return path === '' ? Buffer.from(root) : Buffer.concat([Buffer.from(root), SLASH, pathToBytes(path)]);
}

/** Not through a link; and not waiting for a writer, if a pipe has taken the file's place. */
export const READ_FLAGS: number = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** An operating system's error with the path of the tree in front. */
export function diskError(code: ReleaseErrorCode, path: BytePath, cause: unknown): ReleaseError {
  const { code: errno, message } = cause as NodeJS.ErrnoException;
  const name = path === '' ? '(the folder itself)' : displayPath(path);
  return new ReleaseError(code, `${name}: ${errno ?? message}`, { cause });
}

/** @throws ReleaseError `tree-changed` */
export async function readTarget(root: string, path: BytePath): Promise<BytePath> {
  try {
    return (await readlink(onDisk(root, path), { encoding: 'latin1' })) as BytePath;
  } catch (error) {
    throw diskError('tree-changed', path, error);
  }
}
