import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ServiceError } from '../errors.ts';
import type { Deadline, Part } from '../lifecycle/lifecycle.ts';
import { listenError } from '../listen/error.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { AdminReply, type Answer, errorAnswer, json, refuse } from './answer.ts';
import { expectsContinue, hasBody, readJson } from './body.ts';
import { AdminError } from './errors.ts';
import { type Feed, LiveFeed, type Snapshot } from './feed.ts';
import { Guard, isLoopback } from './guard.ts';
import { type ReadinessCheck, readiness } from './health.ts';
import { ADMIN_LIMITS, type AdminLimits } from './limits.ts';
import { makePage } from './page.ts';
import { type AdminMethod, Router } from './router.ts';

/** A request as a handler sees it. */
export interface AdminRequest {
  readonly method: AdminMethod;
  /** Without the query. */
  readonly path: string;
  /** Decoded: `/queues/:name` gives `params.name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON, not checked; undefined without a body. */
  readonly body: unknown;
  /** Aborted when the client goes away or the handler's time is over. */
  readonly signal: AbortSignal;
}

/**
 * Gives the JSON to answer with status 200 (undefined: 204 without a body), or an `AdminReply` for another status.
 * Throws `AdminError` for an error of the closed set; anything else that it throws is logged and answered as `internal`.
 */
export type AdminHandler = (request: AdminRequest) => unknown;

export interface AdminOptions {
  readonly log: Log;
  /** Default 127.0.0.1. Anything beyond loopback needs `token`. */
  readonly host?: string | undefined;
  /** 0 takes a free one; see `address`. */
  readonly port: number;
  /** When given, every request but the probes and pages must carry it, also on loopback. */
  readonly token?: string | undefined;
  /** Whether another token is as good as `token`. When given, requests must carry one, with and without `token`. */
  readonly authorize?: ((token: string) => boolean) | undefined;
  /** Host names besides localhost and loopback addresses by which browsers may ask. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Shown under `/metrics`. */
  readonly metrics?: Metrics | undefined;
  readonly limits?: Partial<AdminLimits> | undefined;
}

/**
 * The admin HTTP server. It has `/livez` (200 while the process answers at all), `/readyz` (200 or 503 with reasons),
 * `/metrics`, and what the app adds. It is a part of a lifecycle: add it first, so that probes are answered during
 * recovery and during the drain.
 */
export interface Admin extends Part {
  /** @throws ServiceError LISTEN_FAILED, or ADMIN_UNPROTECTED for an open address without a token. */
  start(): Promise<void>;
  /** Refuses new connections, lets requests finish until the deadline, then cuts them. */
  stop(deadline?: Deadline): Promise<void>;
  /** Adds a JSON route. @throws ServiceError ROUTE_INVALID. */
  route(method: AdminMethod, pattern: string, handler: AdminHandler): void;
  /** Adds a static page. It needs no token, because browsers send none when they open a page: keep secrets out of it. */
  page(path: string, html: string): void;
  /** Adds server-sent events: a `snapshot` for who comes, and an `update` for each `publish`. @throws ServiceError ROUTE_INVALID. */
  feed(path: string, snapshot: Snapshot): Feed;
  /** Adds a readiness check; `/readyz` is 503 while it gives a reason. */
  check(name: string, check: ReadinessCheck): void;
  /** Where it listens; undefined before the start. */
  readonly address: { readonly host: string; readonly port: number; readonly url: string } | undefined;
}

type Handler = (request: AdminRequest) => Promise<Answer>;
type Entry = { readonly open: boolean; readonly handle: Handler; readonly feed?: LiveFeed };

/** Without a deadline of a lifecycle, a stop waits so long for requests. */
const STOP_MS = 5000;

export function createAdmin(options: AdminOptions): Admin {
  return new HttpAdmin(options);
}

class HttpAdmin implements Admin {
  readonly name = 'admin';
  readonly #log: Log;
  readonly #host: string;
  readonly #port: number;
  readonly #isProtected: boolean;
  readonly #limits: AdminLimits;
  readonly #guard: Guard;
  readonly #router = new Router<Entry>();
  readonly #checks = new Map<string, ReadinessCheck>();
  readonly #feeds: LiveFeed[] = [];
  readonly #server: Server;
  #stopping = false;

  constructor(options: AdminOptions) {
    this.#log = options.log.child({ part: 'admin' });
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port;
    this.#isProtected = options.token !== undefined || options.authorize !== undefined;
    this.#limits = { ...ADMIN_LIMITS, ...options.limits };
    this.#guard = new Guard({
      host: this.#host,
      token: options.token,
      authorize: options.authorize,
      allowedHosts: options.allowedHosts ?? [],
    });
    this.#server = this.#makeServer();
    this.#router.add('GET', '/livez', { open: true, handle: async () => json(200, { status: 'alive' }) });
    this.#router.add('GET', '/readyz', { open: true, handle: () => this.#readyz() });
    const { metrics } = options;
    if (metrics !== undefined) {
      const handle: Handler = async () => ({
        status: 200,
        headers: { 'content-type': metrics.contentType },
        body: Buffer.from(await metrics.render()),
      });
      this.#router.add('GET', '/metrics', { open: false, handle });
    }
  }

  get address(): { readonly host: string; readonly port: number; readonly url: string } | undefined {
    const bound = this.#server.address() as AddressInfo | null;
    if (bound === null) return undefined;
    const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    return { host: bound.address, port: bound.port, url: `http://${host}:${bound.port}` };
  }

  route(method: AdminMethod, pattern: string, handler: AdminHandler): void {
    const handle: Handler = async (request) => {
      const result = await handler(request);
      return result instanceof AdminReply ? json(result.status, result.body) : json(200, result);
    };
    this.#router.add(method, pattern, { open: false, handle });
  }

  page(path: string, html: string): void {
    const page = makePage(html);
    this.#router.add('GET', path, {
      open: true,
      handle: async () => ({ status: 200, headers: { ...page.headers }, body: page.body }),
    });
  }

  feed(path: string, snapshot: Snapshot): Feed {
    const feed = new LiveFeed(snapshot, this.#limits, (error) =>
      this.#log.error({ err: error, path }, 'a feed failed'),
    );
    this.#feeds.push(feed);
    const handle: Handler = async (request) => {
      const watchers = this.#feeds.reduce((sum, one) => sum + one.watchers, 0);
      if (this.#stopping || watchers >= this.#limits.feedWatchersMax)
        throw new AdminError('unavailable', 'no more watchers: try again later');
      return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: feed.first(request) };
    };
    this.#router.add('GET', path, { open: false, handle, feed });
    return feed;
  }

  check(name: string, check: ReadinessCheck): void {
    if (this.#checks.has(name)) {
      throw new ServiceError('ROUTE_INVALID', `readiness check ${name} is registered twice`);
    }
    this.#checks.set(name, check);
  }

  async start(): Promise<void> {
    if (!isLoopback(this.#host) && !this.#isProtected) {
      throw new ServiceError(
        'ADMIN_UNPROTECTED',
        `admin_host ${this.#host} is open to the network: set admin_token, or listen on 127.0.0.1`,
      );
    }
    const listening = Promise.withResolvers<void>();
    this.#server.once('error', listening.reject);
    this.#server.listen({ host: this.#host, port: this.#port }, listening.resolve);
    try {
      await listening.promise;
    } catch (error) {
      throw listenError(error as NodeJS.ErrnoException, 'admin', this.#host, this.#port);
    } finally {
      this.#server.off('error', listening.reject);
    }
    this.#server.on('error', (error) => this.#log.error({ err: error }, 'admin server failed'));
    this.#log.info({ url: this.address?.url }, 'admin listening');
  }

  async stop(deadline?: Deadline): Promise<void> {
    if (!this.#server.listening) return;
    this.#stopping = true;
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    for (const feed of this.#feeds) feed.close();
    this.#server.closeIdleConnections();
    const cut = (): void => this.#server.closeAllConnections();
    // A little before the deadline, so that cutting is still part of an orderly stop.
    const remainingMs = deadline?.remainingMs() ?? STOP_MS;
    const timer = setTimeout(cut, remainingMs * 0.9);
    deadline?.signal.addEventListener('abort', cut, { once: true });
    await closed.promise;
    clearTimeout(timer);
  }

  #makeServer(): Server {
    const limits = this.#limits;
    const server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.requestTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.requestTimeoutMs / 2)),
        keepAliveTimeout: limits.keepAliveMs,
        requireHostHeader: false,
      },
      (request, response) => void this.#serve(request, response),
    );
    server.maxConnections = limits.connectionsMax;
    // Bodies are taken only after the headers were judged.
    server.on('checkContinue', (request, response) => void this.#serve(request, response));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(error, socket as Socket));
    return server;
  }

  /** One request, from its headers to its answer. Nothing that happens here may reject. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    request.on('error', () => gone.abort());
    let answer: Answer;
    let watched: { readonly feed: LiveFeed; readonly request: AdminRequest } | undefined;
    try {
      const url = parseTarget(request.url ?? '/');
      this.#guard.checkBrowser(request.headers);
      const found = this.#router.find(request.method ?? '', url.path);
      // A stranger learns nothing of which paths there are.
      if (found === undefined || !('handler' in found) || !found.handler.open) {
        this.#guard.checkToken(request.headers);
      }
      if (found === undefined) throw new AdminError('not_found', `there is nothing at ${url.path}`);
      if (!('handler' in found)) {
        answer = errorAnswer(
          new AdminError('method_not_allowed', `use ${found.allow.join(' or ')} for ${url.path}`),
        );
        answer.headers.allow = found.allow.join(', ');
      } else {
        const body = await readJson(request, this.#limits.bodyBytesMax, () => response.writeContinue());
        const asked: AdminRequest = {
          method: (request.method === 'HEAD' ? 'GET' : request.method) as AdminMethod,
          path: url.path,
          params: found.params,
          query: url.query,
          body,
          signal: gone.signal,
        };
        const { handle, feed } = found.handler;
        answer = await this.#handled(handle, asked);
        if (feed !== undefined && request.method === 'GET') watched = { feed, request: asked };
      }
    } catch (error) {
      answer = this.#errorAnswer(error, request);
    }
    this.#send(request, response, answer, watched);
  }

  async #handled(handle: Handler, request: AdminRequest): Promise<Answer> {
    const { handlerTimeoutMs } = this.#limits;
    const timeout = Promise.withResolvers<never>();
    const abort = new AbortController();
    const timer = setTimeout(() => {
      abort.abort();
      timeout.reject(new AdminError('unavailable', `no answer in ${handlerTimeoutMs} ms`));
    }, handlerTimeoutMs);
    try {
      const signal = AbortSignal.any([request.signal, abort.signal]);
      return await Promise.race([handle({ ...request, signal }), timeout.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #errorAnswer(error: unknown, request: IncomingMessage): Answer {
    if (error instanceof AdminError) return errorAnswer(error);
    // The sender went away in the middle of its body: there is nobody to tell, and nothing of ours failed.
    if (!request.complete && request.destroyed)
      return errorAnswer(new AdminError('bad_request', 'the body ended early'));
    this.#log.error({ err: error, method: request.method, path: request.url }, 'admin request failed');
    return errorAnswer(new AdminError('internal', 'the request failed here; the log says why'));
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    { status, headers, body }: Answer,
    watched?: { readonly feed: LiveFeed; readonly request: AdminRequest },
  ): void {
    if (response.destroyed) return;
    // Node reads and drops what is left of a refused body, for requestTimeoutMs at most: closing on a client that still
    // sends would reset the connection, and the client would never see why. One that waits for `100 Continue` may send
    // its body or not, so its connection can't be used again.
    const close = this.#stopping || (hasBody(request) && !request.complete && expectsContinue(request));
    response.writeHead(status, {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(close ? { connection: 'close' } : {}),
      ...(body === undefined || watched !== undefined ? {} : { 'content-length': String(body.length) }),
      ...headers,
    });
    if (watched !== undefined) watched.feed.watch(response, watched.request, body!);
    else response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #readyz(): Promise<Answer> {
    const result = await readiness(this.#checks, this.#limits.checkTimeoutMs);
    return json(result.status === 'ready' ? 200 : 503, result);
  }
}

function parseTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  if (!target.startsWith('/')) throw new AdminError('bad_request', 'the request target must be a path');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path, query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)) };
}
