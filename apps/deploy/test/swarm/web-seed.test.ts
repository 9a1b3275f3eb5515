import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from '@rookery/testkit';
import { expect, test } from 'vitest';
import type { Layout } from '../../src/release/layout.ts';
import { SWARM_LIMITS } from '../../src/swarm/limits.ts';
import { fetchPiece } from '../../src/swarm/web-seed/client.ts';
import { serveWebSeed, webSeedPath } from '../../src/swarm/web-seed/server.ts';

const INFO_HASH = 'a'.repeat(40);
const PIECE_BYTES = 2 ** 20;
const PIECES = 16;

test('who takes all of an origin’s HTTP and reads nothing keeps it from nobody for long', async () => {
  const piece = Buffer.alloc(PIECE_BYTES, 'rookery');
  const layout = {
    payloadBytes: PIECES * PIECE_BYTES,
    pieceBytes: () => PIECE_BYTES,
    manifest: { pieceLength: PIECE_BYTES },
  } as unknown as Layout;
  const cache = {
    with: (_: number, take: (bytes: Buffer) => void) => take(piece),
    put: () => undefined,
    delete: () => undefined,
  };
  const webSeed = await serveWebSeed({ port: 0, infoHash: INFO_HASH, layout, cache, stalledMs: 200 });
  const { signal } = new AbortController();
  const fetchOne = (): Promise<Buffer> =>
    fetchPiece(`127.0.0.1:${webSeed.port}`, INFO_HASH, layout, 1, signal);
  const idlers: Socket[] = [];
  try {
    for (let count = 0; count < SWARM_LIMITS.webSeedRequests; count++) {
      const idler = connect(webSeed.port, '127.0.0.1').on('error', () => undefined);
      idlers.push(idler);
      idler.write(`GET ${webSeedPath(INFO_HASH)} HTTP/1.1\r\nHost: a\r\n\r\n`);
      // On a busy machine it may have been hung up on already.
      await once(idler, 'readable').catch(() => undefined);
    }
    const bytes = await waitFor(() => fetchOne().catch(() => undefined), { what: 'a piece by HTTP' });
    expect(bytes.equals(piece)).toBe(true);
  } finally {
    for (const idler of idlers) idler.destroy();
    await webSeed.close();
  }
});
