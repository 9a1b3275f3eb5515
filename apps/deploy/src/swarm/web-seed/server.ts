import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Layout } from '../../release/layout.ts';
import type { PieceCache } from '../exchange/piece-cache.ts';
import { SWARM_LIMITS } from '../limits.ts';

export interface WebSeed {
  readonly port: number;
  close(): Promise<void>;
}

/** Who takes nothing for so long gives its place to others: there are few. Our own clients wait for a byte for 3 s. */
const STALLED_MS = 10_000;

/** A payload as one file over HTTP, whole or by range (BEP 19): the way out when no peer moves. */
export async function serveWebSeed(options: {
  readonly port: number;
  readonly infoHash: string;
  readonly layout: Layout;
  readonly cache: PieceCache;
  /** Default 10 s. */
  readonly stalledMs?: number;
}): Promise<WebSeed> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8 * 1024 });
  let answering = 0;
  server.timeout = options.stalledMs ?? STALLED_MS;
  server.maxConnections = 4 * SWARM_LIMITS.webSeedRequests;
  server.on('request', (request, response) => {
    if (answering >= SWARM_LIMITS.webSeedRequests) {
      response.writeHead(503, { 'retry-after': '1' }).end();
      return;
    }
    answering++;
    answer(request, response, options).then(
      () => {
        answering--;
      },
      () => {
        answering--;
        response.destroy();
      },
    );
  });
  server.listen(options.port, '::');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function webSeedPath(infoHash: string): string {
  return `/${infoHash}/rookery.payload`;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { infoHash, layout, cache }: Parameters<typeof serveWebSeed>[0],
): Promise<void> {
  if (request.url !== webSeedPath(infoHash) || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404).end();
    return;
  }
  const size = layout.payloadBytes;
  const range = parseRange(request.headers.range, size);
  if (range === undefined) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { from, to } = range;
  const part = to - from < size;
  response.writeHead(part ? 206 : 200, {
    'content-length': to - from,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    ...(part ? { 'content-range': `bytes ${from}-${to - 1}/${size}` } : {}),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const { pieceLength } = layout.manifest;
  for (let at = from; at < to; ) {
    const piece = Math.floor(at / pieceLength);
    const start = piece * pieceLength;
    const block = await new Promise<Buffer | undefined>((resolve) =>
      cache.with(piece, (bytes) => {
        // A copy: the cache has other uses for the piece's buffer.
        resolve(bytes && Buffer.from(bytes.subarray(at - start, Math.min(bytes.length, to - start))));
      }),
    );
    if (block === undefined || response.destroyed) {
      response.destroy();
      return;
    }
    at += block.length;
    if (!response.write(block)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

/** From the first byte to before the last; only one range, as BEP 19's clients ask. */
function parseRange(header: string | undefined, size: number): { from: number; to: number } | undefined {
  if (header === undefined) return { from: 0, to: size };
  const match = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header);
  if (match === null) return undefined;
  const from = Number(match[1]);
  const to = match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  return from < to ? { from, to } : undefined;
}
