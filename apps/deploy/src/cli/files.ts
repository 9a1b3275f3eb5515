import { constants } from 'node:fs';
import { access, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ReleaseError } from '../errors.ts';
import { type PublicKey, parsePublicKey, parseSigningKey, type SigningKey } from '../release/keys.ts';
import { RELEASE_LIMITS } from '../release/limits.ts';

/** Keys in PEM have a few hundred bytes. */
const KEY_FILE_BYTES_MAX = 64 * 1024;

/** @throws ReleaseError `release-too-large`, `not-a-release` */
export function readReleaseFile(path: string): Promise<Buffer> {
  return readBounded(path, RELEASE_LIMITS.releaseBytes, 'release-too-large', 'not-a-release');
}

/** @throws ReleaseError `key-invalid` */
export async function readSigningKey(path: string): Promise<SigningKey> {
  return parseSigningKey(await readKeyFile(path));
}

/** @throws ReleaseError `key-invalid` */
export function readPublicKeys(paths: readonly string[]): Promise<PublicKey[]> {
  return Promise.all(paths.map(async (path) => parsePublicKey(await readKeyFile(path))));
}

/**
 * Says before a long work that its result could not be written.
 * @throws ReleaseError `write-failed`
 */
export async function checkWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new ReleaseError('write-failed', `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Whole or not at all: whoever reads the path sees the old file or the new one. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.new`);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new ReleaseError('write-failed', `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** @throws ReleaseError `key-exists`: a key that is written over is lost with all that it signed */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const handle = await open(path, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new ReleaseError('write-failed', `${path}: ${(cause as Error).message}`, { cause });
    }
    throw new ReleaseError(
      'key-exists',
      `${path}: there is a file already; give another path, or remove it`,
      { cause },
    );
  }
}

async function readKeyFile(path: string): Promise<string> {
  return (await readBounded(path, KEY_FILE_BYTES_MAX, 'key-invalid', 'key-invalid')).toString('latin1');
}

async function readBounded(
  path: string,
  bytesMax: number,
  tooLarge: 'release-too-large' | 'key-invalid',
  unreadable: 'not-a-release' | 'key-invalid',
): Promise<Buffer> {
  try {
    if ((await stat(path)).size <= bytesMax) return await readFile(path);
  } catch (cause) {
    throw new ReleaseError(unreadable, `${path}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  throw new ReleaseError(tooLarge, `${path}: larger than ${bytesMax} bytes`);
}
