import { AccessError } from './errors.ts';
import { formatGrant, type Grant, parseGrant, Rights } from './rights.ts';
import { formatHash, hashOf, isToken, parseHash, sameHash } from './token.ts';

/** A line of the file: a token, whose it is, and what it may do. */
export interface User {
  readonly name: string;
  readonly hash: Buffer;
  readonly rights: Rights;
  /** The line without spaces at its ends: as long as it stands so, who came by it may stay. */
  readonly line: string;
}

/** All users; what is given out is never changed, a reload makes new ones. */
export interface Users {
  readonly all: readonly User[];
  /** Undefined for a wrong token and for a name that isn't there, and nobody can tell which. */
  find(name: string, token: string): User | undefined;
  /** Whose token it is. */
  findByToken(token: string): User | undefined;
  isName(name: string): boolean;
}

/** Lines of a file; each costs a comparison where only the token is shown. */
const linesMax = 10_000;
const namePattern = /^[A-Za-z0-9._@-]{1,64}$/;

/**
 * `NAME HASH GRANT…` a line; `#` begins a comment. A name may have several lines, each with a token and rights of its
 * own: so a token is replaced without a gap.
 * @throws AccessError `bad-auth-file`
 */
export function parseUsers(text: string): Users {
  const all: User[] = [];
  const hashes = new Set<string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const bad = (why: string): AccessError => new AccessError('bad-auth-file', `line ${index + 1}: ${why}`);
    if (all.length >= linesMax) throw bad(`a file has ${linesMax} tokens at most`);
    const [name, shown, ...granted] = line.split(/\s+/);
    if (!isUserName(name!)) throw bad('a user’s name is 1 to 64 letters, digits and . _ @ -');
    const hash = parseHash(shown ?? '');
    if (hash === undefined) throw bad('expected sha256: and 64 hexadecimal digits behind the name');
    let grants: Grant[];
    try {
      grants = granted.map(parseGrant);
    } catch (error) {
      throw bad((error as Error).message);
    }
    if (hashes.has(shown!)) throw bad('this hash stands in an earlier line as well');
    hashes.add(shown!);
    all.push({ name: name!, hash, rights: new Rights(grants), line });
  }
  return {
    all,
    find: (name, token) => lookFor(all, token, (user) => user.name === name),
    findByToken: (token) => lookFor(all, token, () => true),
    isName: (name) => all.some((user) => user.name === name),
  };
}

function lookFor(all: readonly User[], token: string, of: (user: User) => boolean): User | undefined {
  if (!isToken(token)) return undefined;
  const hash = hashOf(token);
  let found: User | undefined;
  for (const user of all) {
    if (sameHash(user.hash, hash) && of(user)) found = user;
  }
  return found;
}

export function isUserName(name: string): boolean {
  return namePattern.test(name);
}

export function formatUser(name: string, token: string, grants: readonly Grant[]): string {
  return [name, formatHash(hashOf(token)), ...grants.map(formatGrant)].join(' ');
}
