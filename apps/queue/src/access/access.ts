import type { Log } from '@rookery/service';
import type { AuthFile } from './auth-file.ts';
import type { User } from './users.ts';

export interface AccessCounters {
  succeeded: number;
  failed: number;
  /** Refused to somebody who is known. */
  forbidden: number;
}

/** Who may come in, for connections and for the admin port. */
export interface Access {
  readonly counters: AccessCounters;
  /** Wrong tokens that a connection may show before it ends. */
  readonly triesMax: number;
  /** A connection that has not said who it is by then ends. */
  readonly timeoutMs: number;
  /** Undefined: no such user, or not that token; counted and logged, with no more than where it came from. */
  authenticate(name: string, token: string, from: string): User | undefined;
  authenticateByToken(token: string): User | undefined;
  /** Whether the line by which somebody came in still stands. */
  stands(user: User): boolean;
}

/** Failures come from strangers: they fill no disk. */
const tellEveryMs = 1000;

export function createAccess(options: {
  readonly file: AuthFile;
  readonly log: Log;
  readonly triesMax: number;
  readonly timeoutMs: number;
  readonly now: () => number;
}): Access {
  const { file, log, now } = options;
  const counters: AccessCounters = { succeeded: 0, failed: 0, forbidden: 0 };
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;

  function tellFailure(name: string, from: string): void {
    untold += 1;
    if (now() - toldAt < tellEveryMs) return;
    // A name that nobody has may be a token in the wrong place.
    const user = file.users.isName(name) ? name : 'unknown';
    log.warn({ from, user, failures: untold }, 'authentication failed');
    toldAt = now();
    untold = 0;
  }

  return {
    counters,
    triesMax: options.triesMax,
    timeoutMs: options.timeoutMs,
    authenticate(name, token, from) {
      const user = file.users.find(name, token);
      if (user === undefined) {
        counters.failed += 1;
        tellFailure(name, from);
      } else counters.succeeded += 1;
      return user;
    },
    authenticateByToken(token) {
      const user = file.users.findByToken(token);
      if (user === undefined) {
        counters.failed += 1;
        tellFailure('', 'admin');
      } else counters.succeeded += 1;
      return user;
    },
    stands: (user) => file.users.all.some(({ line }) => line === user.line),
  };
}
