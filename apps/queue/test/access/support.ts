import { createLogger } from '@rookery/service';
import { type Access, createAccess } from '../../src/access/access.ts';
import { parseGrant } from '../../src/access/rights.ts';
import { makeToken } from '../../src/access/token.ts';
import { formatUser, parseUsers, type Users } from '../../src/access/users.ts';

export interface Guarded {
  readonly access: Access;
  readonly tokens: Readonly<Record<string, string>>;
  users: Users;
}

/** Users by name, each with grants such as `read,write:jobs*`. */
export function guarded(
  users: Readonly<Record<string, readonly string[]>>,
  options: { readonly triesMax?: number; readonly timeoutMs?: number } = {},
): Guarded {
  const tokens: Record<string, string> = {};
  const lines = Object.entries(users).map(([name, grants]) => {
    tokens[name] = makeToken();
    return formatUser(name, tokens[name], grants.map(parseGrant));
  });
  const made = { users: parseUsers(lines.join('\n')), tokens };
  const access = createAccess({
    file: {
      get users() {
        return made.users;
      },
      reload: () => undefined,
      watch: () => undefined,
      close: () => undefined,
    },
    log: createLogger({ name: 'test', level: 'silent' }),
    triesMax: options.triesMax ?? 3,
    timeoutMs: options.timeoutMs ?? 10_000,
    now: () => 0,
  });
  return Object.assign(made, { access });
}

/** memcached's ASCII authentication. */
export function login(name: string, token: string): string {
  const body = `${name} ${token}`;
  return `set any 0 0 ${body.length}\r\n${body}\r\n`;
}
