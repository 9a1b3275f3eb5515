import { closeSync, fstatSync, openSync, readFileSync, unwatchFile, watchFile } from 'node:fs';
import { AccessError } from './errors.ts';
import { parseUsers, type Users } from './users.ts';

/** Ten thousand users of a hundred bytes. */
const fileBytesMax = 4 * 1024 * 1024;
/** Also where a mounted secret is exchanged as a whole, of which no event tells. */
const lookEveryMs = 2000;

/** Who may come in, as the file says now. */
export interface AuthFile {
  readonly users: Users;
  /** Reads it again: all of it, or, where it is wrong, nothing of it. @throws AccessError `bad-auth-file` */
  reload(): void;
  /** Looks now and then whether it has changed. */
  watch(onChange: () => void): void;
  close(): void;
}

/** @throws AccessError `bad-auth-file` */
export function openAuthFile(path: string): AuthFile {
  let users = readUsers(path);
  let watcher: (() => void) | undefined;
  return {
    get users() {
      return users;
    },
    reload() {
      users = readUsers(path);
    },
    watch(onChange) {
      watcher = onChange;
      watchFile(path, { interval: lookEveryMs, persistent: false }, onChange);
    },
    close() {
      if (watcher !== undefined) unwatchFile(path, watcher);
    },
  };
}

function readUsers(path: string): Users {
  const bad = (why: string): AccessError => new AccessError('bad-auth-file', `${path}: ${why}`);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw bad((error as Error).message);
  }
  try {
    const { mode, size } = fstatSync(file);
    // Who can write it lets himself in; who can read it learns all names and rights.
    if ((mode & 0o027) !== 0) {
      throw bad(`its mode is ${(mode & 0o777).toString(8)}, which lets others in: chmod 640`);
    }
    if (size > fileBytesMax) throw bad(`it is larger than ${fileBytesMax} bytes`);
    return parseUsers(readFileSync(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof AccessError)) throw bad((error as Error).message);
    throw error.message.startsWith(path) ? error : bad(error.message);
  } finally {
    closeSync(file);
  }
}
