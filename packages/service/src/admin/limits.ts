import type { FeedLimits } from './feed.ts';

/** What one client of the admin server may take. Of feeds: default 32 watchers, 1 MiB, 30 s. */
export interface AdminLimits extends FeedLimits {
  /** Request line and headers; default 16 KiB, what Node and most proxies allow. */
  readonly headerBytesMax: number;
  /** Body of a request; default 1 MiB: settings and small lists, no uploads. */
  readonly bodyBytesMax: number;
  /** For a request to arrive in full; default 10 s, so that slow senders can't hold connections. */
  readonly requestTimeoutMs: number;
  /** For a handler to answer; default 30 s, then the client gets 503. */
  readonly handlerTimeoutMs: number;
  /** For one readiness check; default 2 s, then it counts as failed. */
  readonly checkTimeoutMs: number;
  /** Connections at a time; default 64: a scraper, probes and a few people. More are closed at once. */
  readonly connectionsMax: number;
  /** An idle connection is kept so long; default 5 s, as Node does. */
  readonly keepAliveMs: number;
}

export const ADMIN_LIMITS: AdminLimits = {
  headerBytesMax: 16 * 1024,
  bodyBytesMax: 1024 * 1024,
  requestTimeoutMs: 10_000,
  handlerTimeoutMs: 30_000,
  checkTimeoutMs: 2000,
  connectionsMax: 64,
  keepAliveMs: 5000,
  // Half of the connections, so that pages left open never keep a probe out.
  feedWatchersMax: 32,
  // A snapshot of a thousand hosts has some 200 KB.
  feedBytesMax: 1024 * 1024,
  feedStallMs: 30_000,
};
