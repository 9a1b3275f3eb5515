import { get } from 'node:http';
import type { Layout } from '../../release/layout.ts';
import { PROGRESS_WITHIN_MS } from '../limits.ts';
import { webSeedPath } from './server.ts';

/**
 * Fetches one piece from an origin's HTTP.
 * @param origin `host:port`
 * @throws Error: why not; also when nothing comes for PROGRESS_WITHIN_MS
 */
export function fetchPiece(
  origin: string,
  infoHash: string,
  layout: Layout,
  piece: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const length = layout.pieceBytes(piece);
  const from = piece * layout.manifest.pieceLength;
  return new Promise((resolve, reject) => {
    const request = get(`http://${origin}${webSeedPath(infoHash)}`, {
      headers: { range: `bytes=${from}-${from + length - 1}` },
      timeout: PROGRESS_WITHIN_MS,
      signal,
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      const bytes = Buffer.allocUnsafeSlow(length);
      let filled = 0;
      response.on('error', reject);
      if (response.statusCode !== 206 && response.statusCode !== 200) {
        request.destroy(new Error(`HTTP ${response.statusCode}`));
        return;
      }
      response.on('data', (part: Buffer) => {
        if (filled + part.length > length) request.destroy(new Error('more than was asked for'));
        else filled += part.copy(bytes, filled);
      });
      response.on('end', () => {
        if (filled === length) resolve(bytes);
        else reject(new Error('cut off'));
      });
    });
  });
}
