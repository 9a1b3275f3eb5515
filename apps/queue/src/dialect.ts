/**
 * A dialect chooses strings and edge cases, where the queues that speak memcache and memcached itself differ; what is
 * kept, delivered and acknowledged is the same in all of them. Clients of memcached work with the default.
 */
export interface Dialect {
  readonly name: 'memcached' | 'kestrel' | 'starling';
  /** Reply to flush_all. */
  readonly flushedAll: string;
  /** Reply to the delete of a queue that isn't there. */
  readonly deletedNothing: string;
  /** Reply to a command nobody knows, and whether the connection ends with it. */
  readonly unknownCommand: string;
  readonly errorsClose: boolean;
  /** A plain get while a read of the same queue is open, or one open read too many, is `ERROR` and ends the connection. */
  readonly strictReads: boolean;
  /** Reply to a put that is over a limit of its queue. */
  readonly full: string;
  /** A value comes back under the bare name of its queue, and not under the key as it was asked for. */
  readonly bareNames: boolean;
  /** Up to this many seconds an expiry is relative, above it is Unix time. */
  readonly relativeExpirySecondsMax: number;
  /** Kestrel's names hold no `.`, `/` or `~`; so there `queue.cursor` can mean a cursor, and an unknown option is an error. */
  readonly kestrelNames: boolean;
  /** `shutdown` ends the server. */
  readonly shutdownCommand: boolean;
}

const memcached: Dialect = {
  name: 'memcached',
  flushedAll: 'OK',
  deletedNothing: 'NOT_FOUND',
  unknownCommand: 'ERROR',
  errorsClose: false,
  strictReads: false,
  full: 'SERVER_ERROR out of memory storing object',
  // Stock clients look for the key that they sent.
  bareNames: false,
  relativeExpirySecondsMax: 30 * 24 * 3600,
  kestrelNames: false,
  shutdownCommand: false,
};

export const dialects: Readonly<Record<Dialect['name'], Dialect>> = {
  memcached,
  // Starling itself takes absolute times only; stock clients send 60 and mean a minute, so memcached's rule serves both.
  starling: { ...memcached, name: 'starling', full: 'NOT_STORED' },
  kestrel: {
    name: 'kestrel',
    flushedAll: 'Flushed all queues.',
    deletedNothing: 'DELETED',
    unknownCommand: 'CLIENT_ERROR',
    errorsClose: true,
    strictReads: true,
    full: 'NOT_STORED',
    bareNames: true,
    relativeExpirySecondsMax: 1_000_000,
    kestrelNames: true,
    shutdownCommand: true,
  },
};

/** Some 8,900 years from now: a store keeps times in 48 bits. */
const latestMs = 2 ** 48 - 1;

/** Unix milliseconds at which something sent with this expiry is gone; 0 for never. */
export function expiresAt(exptime: number, nowMs: number, dialect: Dialect): number {
  if (exptime === 0) return 0;
  if (exptime < 0) return nowMs;
  if (exptime <= dialect.relativeExpirySecondsMax) return nowMs + exptime * 1000;
  return Math.min(exptime * 1000, latestMs);
}
