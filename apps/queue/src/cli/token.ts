/** Makes tokens, and writes their hashes where the server finds them. */
import { chmodSync, chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { ServiceError } from '@rookery/service';
import { AccessError } from '../access/errors.ts';
import { parseGrant } from '../access/rights.ts';
import { makeToken } from '../access/token.ts';
import { formatUser, isUserName, parseUsers } from '../access/users.ts';

export interface TokenRequest {
  readonly name: string;
  readonly grants: readonly string[];
  readonly file: string;
  /** What the user had before ends; without it, a user that is there already is an error. */
  readonly replace: boolean;
  /** The user keeps his tokens and gets another. */
  readonly add: boolean;
}

const header = `# Users of the queue: NAME HASH RIGHTS…, made by "rookery-queue token".\n`;

/**
 * Writes the line of a new token; the token is nowhere but in the result.
 * @throws ServiceError `USAGE`
 */
export function addToken({ name, grants, file, replace, add }: TokenRequest): string {
  try {
    if (!isUserName(name)) {
      throw new AccessError('bad-auth-file', 'a user’s name is 1 to 64 letters, digits and . _ @ -');
    }
    const before = existsSync(file) ? readFileSync(file, 'utf8') : header;
    if (parseUsers(before).isName(name) && !replace && !add) {
      throw new AccessError('user-exists', `${name} has a token: give --replace, or --add for one beside it`);
    }
    const kept = before
      .split('\n')
      .filter((line) => line !== '' && !(replace && line.trim().split(/\s+/)[0] === name));
    const token = makeToken();
    const after = `${[...kept, formatUser(name, token, grants.map(parseGrant))].join('\n')}\n`;
    parseUsers(after);
    write(file, after);
    return token;
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    const place = error.code === 'bad-auth-file' ? `${file}: ` : '';
    throw new ServiceError('USAGE', `${place}${error.message}`, { cause: error });
  }
}

/** A server that reads it meanwhile finds the old or the new, and never a half. */
function write(file: string, text: string): void {
  const before = existsSync(file) ? statSync(file) : undefined;
  const beside = `${file}.${process.pid}.new`;
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx', flush: true });
  if (before !== undefined) {
    // The server may be another user, who reads it by its group.
    chownSync(beside, before.uid, before.gid);
    chmodSync(beside, before.mode & 0o777);
  }
  renameSync(beside, file);
}
