import type { ServerResponse } from 'node:http';
import type { AdminRequest } from './server.ts';

/** What an app tells everybody who watches a feed. */
export interface Feed {
  /** Sends to all watchers; it costs nothing while there are none. */
  publish(update: unknown): void;
  /** Sends a new snapshot to all who have taken what was sent before; the others miss this one. */
  refresh(): void;
  /** How many watch. */
  readonly watchers: number;
}

export interface FeedLimits {
  /** At a time, of all feeds together; more are answered with 503. */
  readonly feedWatchersMax: number;
  /** What may wait for one watcher; one that is slower misses updates, and gets a new snapshot when it has caught up. */
  readonly feedBytesMax: number;
  /** A watcher that takes nothing for so long is cut off. */
  readonly feedStallMs: number;
}

/** Proxies cut what is silent; also how a watcher that is gone is noticed. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = Buffer.from(':\n\n');

/** What a watcher gets first: as it asked, so by its query. @throws AdminError for a query that can't be answered. */
export type Snapshot = (request: AdminRequest) => unknown;

interface Watcher {
  readonly request: AdminRequest;
  readonly response: ServerResponse;
  /** Set while it misses updates. */
  stalled: NodeJS.Timeout | undefined;
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): a `snapshot` first, then each
 * `update`. Whatever a watcher does, it costs no more than one snapshot and `feedBytesMax`.
 */
export class LiveFeed implements Feed {
  readonly #snapshot: Snapshot;
  readonly #limits: FeedLimits;
  readonly #onError: (error: unknown) => void;
  readonly #watchers = new Set<Watcher>();
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(snapshot: Snapshot, limits: FeedLimits, onError: (error: unknown) => void) {
    this.#snapshot = snapshot;
    this.#limits = limits;
    this.#onError = onError;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  publish(update: unknown): void {
    if (this.#watchers.size === 0) return;
    const bytes = message('update', update);
    for (const watcher of this.#watchers) if (watcher.stalled === undefined) this.#send(watcher, bytes);
  }

  refresh(): void {
    for (const watcher of this.#watchers) {
      if (watcher.stalled === undefined && watcher.response.writableLength === 0) this.#sendSnapshot(watcher);
    }
  }

  /** What `watch` sends first. @throws AdminError */
  first(request: AdminRequest): Buffer {
    return message('snapshot', this.#snapshot(request));
  }

  /** Takes over a response whose head was sent. */
  watch(response: ServerResponse, request: AdminRequest, first: Buffer): void {
    const watcher: Watcher = { request, response, stalled: undefined };
    this.#watchers.add(watcher);
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
    response.on('drain', () => {
      if (watcher.stalled === undefined) return;
      clearTimeout(watcher.stalled);
      watcher.stalled = undefined;
      this.#sendSnapshot(watcher);
    });
    response.on('close', () => {
      clearTimeout(watcher.stalled);
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
    });
    this.#send(watcher, first);
  }

  /** What was published goes out, and then the end. */
  close(): void {
    for (const { response } of this.#watchers) response.end();
  }

  #sendSnapshot(watcher: Watcher): void {
    try {
      this.#send(watcher, this.first(watcher.request));
    } catch (error) {
      this.#onError(error);
      watcher.response.end();
    }
  }

  #send(watcher: Watcher, bytes: Buffer): void {
    const { response } = watcher;
    // It has its end, or is gone, and that it closed is still to be told.
    if (response.writableEnded || response.destroyed) return;
    response.write(bytes);
    if (response.writableLength <= this.#limits.feedBytesMax) return;
    watcher.stalled = setTimeout(() => response.destroy(), this.#limits.feedStallMs).unref();
  }

  #beat(): void {
    for (const watcher of this.#watchers) if (watcher.stalled === undefined) this.#send(watcher, HEARTBEAT);
  }
}

/** JSON has no line ends, so one `data` line holds it. */
function message(event: 'snapshot' | 'update', value: unknown): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
}
