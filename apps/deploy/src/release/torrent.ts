import { createHash } from 'node:crypto';
import { ReleaseError } from '../errors.ts';
import { bencode } from './bencode.ts';
import type { Manifest } from './manifest.ts';

/** The one file of the torrent: all chunks, one after the other. */
const PAYLOAD_NAME = 'rookery.payload';

/** The info dictionary (BEP 3, private by BEP 27). Nothing in it but what the tree's content and paths decide. */
export function torrentInfo(manifest: Pick<Manifest, 'chunks' | 'pieceLength' | 'pieces'>): Buffer {
  return bencode({
    length: payloadBytes(manifest),
    name: PAYLOAD_NAME,
    'piece length': manifest.pieceLength,
    pieces: manifest.pieces,
    private: 1,
  });
}

/** Hexadecimal. */
export function infoHash(info: Uint8Array): string {
  return createHash('sha1').update(info).digest('hex');
}

/**
 * A .torrent file for any client.
 * @throws ReleaseError `payload-empty`
 */
export function torrentFile(info: Uint8Array, options: { readonly tracker?: string } = {}): Buffer {
  if (Buffer.from(info).subarray(0, 13).equals(Buffer.from('d6:lengthi0e4'))) {
    throw new ReleaseError(
      'payload-empty',
      'The tree has no bytes: there is nothing to transfer, and so no torrent.',
    );
  }
  // The info goes in as it is: decoding and encoding it again could only change its hash.
  const { tracker } = options;
  return Buffer.concat([
    Buffer.from('d'),
    ...(tracker === undefined ? [] : [bencode('announce'), bencode(tracker)]),
    bencode('info'),
    info,
    Buffer.from('e'),
  ]);
}

export function payloadBytes({ chunks }: Pick<Manifest, 'chunks'>): number {
  let bytes = 0;
  for (const length of chunks.lengths) bytes += length;
  return bytes;
}
