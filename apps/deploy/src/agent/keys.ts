import { open } from 'node:fs/promises';
import { ServiceError } from '@rookery/service';
import { parsePublicKey, parseSigningKey, type SigningKey } from '../release/keys.ts';

/** Keys in PEM have a few hundred bytes. */
const KEY_FILE_BYTES_MAX = 64 * 1024;
const BASE64_KEY = /^[A-Za-z0-9+/]{43}=$/;

/** @throws ServiceError `SETTING_INVALID`: there is no key in it, or others may read it */
export async function readPrivateKey(path: string): Promise<SigningKey> {
  const { text, mode } = await read(path);
  if ((mode & 0o007) !== 0) {
    throw new ServiceError('SETTING_INVALID', `${path}: everybody here can read this key: chmod 600 it`);
  }
  return parse(path, () => parseSigningKey(text));
}

/** Each from a `.pub` file, or as base64. @throws ServiceError `SETTING_INVALID` */
export function readPublicKeys(given: readonly string[]): Promise<string[]> {
  return Promise.all(
    given.map(async (one) => {
      if (BASE64_KEY.test(one)) return one;
      const { text } = await read(one);
      return parse(one, () => parsePublicKey(text)).text;
    }),
  );
}

async function read(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    await using handle = await open(path, 'r');
    const { mode, size } = await handle.stat();
    if (size > KEY_FILE_BYTES_MAX) throw new Error(`it has more than ${KEY_FILE_BYTES_MAX} bytes`);
    return { text: await handle.readFile('latin1'), mode };
  } catch (cause) {
    throw new ServiceError('SETTING_INVALID', `${path}: ${(cause as Error).message}`, { cause });
  }
}

function parse<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new ServiceError('SETTING_INVALID', `${path}: ${(cause as Error).message}`, { cause });
  }
}
