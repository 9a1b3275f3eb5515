/** Where WebSocket clients come in: the HTTP part, TLS, origins, and signs of life. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FRAME_OVERHEAD_BYTES } from '@rookery/protocol/websocket';
import { type Address, closeServer, type Log, listenTcp, type Part, ServiceError } from '@rookery/service';
import { WebSocketServer } from 'ws';
import { WebSocketConnection, type WebSocketHost } from './connection.ts';

export interface WebSocketListenerOptions extends Omit<WebSocketHost, 'onClose' | 'isAuthorized'> {
  readonly log: Log;
  readonly listen: Address;
  readonly origins: readonly string[];
  readonly tokenFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly compression: boolean;
  readonly pingIntervalMs: number;
  readonly maxConnections: number;
}

export interface WebSocketListener extends Part {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Undefined before the start. */
  readonly url: string | undefined;
  readonly connections: number;
}

const SUBPROTOCOL = 'rookery-bus.v1';
/** Of a request's head: browsers send about 1 KiB. */
const HEADER_BYTES_MAX = 16 * 1024;
const TOKEN_FILE_BYTES_MAX = 1024 * 1024;
/** Of one message; each costs far more memory than its few bytes on the wire. Proxies cut messages into some KiB. */
const FRAGMENTS_MAX = 16 * 1024;
/** A look that is this late comes after a stall of this process: answers may be unread, or not yet sent again by TCP. */
const LATE_MS = 1000;
/** When the daemon stops: connections have been told, and have so long to close. */
const STOP_MS = 2000;

export function createWebSocketListener(options: WebSocketListenerOptions): WebSocketListener {
  const { log, listen, limits } = options;
  const connections = new Set<WebSocketConnection>();
  const sockets = new Set<Socket>();
  let tokens: readonly Buffer[] | undefined;
  let server: Server | undefined;
  let pinging: NodeJS.Timeout | undefined;
  const host: WebSocketHost = {
    ...options,
    isAuthorized: (token) => tokens === undefined || (token !== undefined && isKnown(tokens, token)),
    onClose: (connection) => connections.delete(connection),
  };
  const upgrader = new WebSocketServer({
    noServer: true,
    maxPayload: limits.messageBytes + FRAME_OVERHEAD_BYTES,
    maxFragments: FRAGMENTS_MAX,
    // The connection answers pings itself, for it may have too many answers waiting already.
    autoPong: false,
    perMessageDeflate: options.compression,
    // Ours is told apart from other protocols, but who asks for none is a person with a tool.
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      options.onBad(refusal.reason);
      // The server has let go of the socket: it is ours to hear errors of, and to close.
      socket.on('error', () => socket.destroy());
      socket.on('finish', () => socket.destroy());
      socket.end(`HTTP/1.1 ${refusal.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    // The upgrader answers what is no proper handshake itself.
    upgrader.handleUpgrade(request, socket, head, (ws) => {
      connections.add(new WebSocketConnection(ws, socket as Socket, host));
    });
  }

  function refusalOf(request: IncomingMessage): { status: string; reason: string } | undefined {
    if (connections.size >= options.maxConnections) {
      return { status: '503 Service Unavailable', reason: 'too_many_connections' };
    }
    if (request.url?.split('?')[0] !== '/') return { status: '404 Not Found', reason: 'bad_path' };
    const { origin } = request.headers;
    // Programs send none; a browser always does, and says the truth.
    if (origin === undefined || options.origins.includes('*') || options.origins.includes(origin)) {
      return undefined;
    }
    const sameHost = URL.canParse(origin) && new URL(origin).host === request.headers.host;
    return sameHost ? undefined : { status: '403 Forbidden', reason: 'bad_origin' };
  }

  async function createServer(): Promise<Server> {
    const { certificateFile, keyFile, handshakeTimeoutMs } = options;
    const http = {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: handshakeTimeoutMs,
      headersTimeout: handshakeTimeoutMs,
      connectionsCheckingInterval: Math.ceil(handshakeTimeoutMs / 4),
    };
    if (certificateFile === undefined && keyFile === undefined) return createHttpServer(http);
    if (certificateFile === undefined || keyFile === undefined) {
      throw new ServiceError('SETTING_INVALID', 'ws_certificate_file and ws_key_file go together');
    }
    const [cert, key] = await Promise.all([readFile(certificateFile), readFile(keyFile)]);
    return createHttpsServer({ ...http, cert, key, handshakeTimeout: handshakeTimeoutMs });
  }

  return {
    name: 'websocket listener',
    async start() {
      if (options.tokenFile !== undefined) tokens = await readTokens(options.tokenFile);
      server = await createServer();
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.setNoDelay(true);
        // A connection that says nothing at all has no request that could time out.
        if (sockets.size > 2 * options.maxConnections) socket.destroy();
      });
      server.on('upgrade', upgrade);
      server.on('request', (_request, response) => {
        response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' });
        response.end('This is a WebSocket address: see docs/protocol-websocket.md.\n');
      });
      await listenTcp(server, 'the WebSocket listener', listen.host, listen.port);
      server.on('error', (error) => log.error({ err: error }, 'a client could not be accepted'));
      let lookedAt = performance.now();
      pinging = setInterval(() => {
        const now = performance.now();
        const lateMs = now - lookedAt - options.pingIntervalMs;
        lookedAt = now;
        // Timers come before what waits in the sockets: that is read first.
        setImmediate(() => {
          for (const connection of [...connections]) {
            if (!connection.ping() && lateMs < LATE_MS) connection.destroy();
          }
        });
      }, options.pingIntervalMs).unref();
    },
    async stop() {
      clearInterval(pinging);
      if (server === undefined) return;
      const closed = closeServer(server);
      for (const connection of [...connections]) connection.shut();
      server.closeAllConnections();
      const impatience = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, STOP_MS);
      await closed;
      clearTimeout(impatience);
    },
    get url() {
      const bound = server?.address() as AddressInfo | null | undefined;
      if (bound === null || bound === undefined) return undefined;
      const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      return `${options.certificateFile === undefined ? 'ws' : 'wss'}://${name}:${bound.port}`;
    },
    get connections() {
      return connections.size;
    },
  };
}

/** Tokens are kept as hashes: what is compared has one length, and a dump of memory shows none. */
async function readTokens(path: string): Promise<readonly Buffer[]> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ServiceError('SETTING_INVALID', `token_file can't be read: ${error.message}`, { cause: error });
  });
  if (text.length > TOKEN_FILE_BYTES_MAX) {
    throw new ServiceError('SETTING_INVALID', 'token_file has more than 1 MiB: that is no list of tokens');
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) {
    throw new ServiceError('SETTING_INVALID', 'token_file names no token: write one a line');
  }
  return lines.map(hash);
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function isKnown(tokens: readonly Buffer[], token: string): boolean {
  const given = hash(token);
  // All are looked at, so that the time taken tells nothing.
  let known = false;
  for (const one of tokens) if (timingSafeEqual(one, given)) known = true;
  return known;
}
