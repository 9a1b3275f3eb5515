import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bencode } from '../../apps/deploy/src/release/bencode.ts';
import { torrentFile } from '../../apps/deploy/src/release/torrent.ts';
import { filesOf } from './payload.ts';
import { treeName } from './system.ts';

/** As many as a peer should be told of: rookery-deploy's own rule, and the best for the others, too. */
const MAX_PIECES = 1024;
/** What is asked for at once. */
const BLOCK = 16 * 1024;

/** Of a torrent of so many bytes: a power of two. */
function pieceLengthOf(bytes: number): number {
  let length = BLOCK;
  while (length * MAX_PIECES < bytes) length *= 2;
  return length;
}

/** Writes a .torrent of the files of a folder, as any client of BitTorrent v1 takes it. */
export async function writeTorrent(path: string, tree: string, tracker: string): Promise<void> {
  const paths = await filesOf(tree);
  const contents = await Promise.all(paths.map((file) => readFile(join(tree, file))));
  const payload = Buffer.concat(contents);
  const pieceLength = pieceLengthOf(payload.length);
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < payload.length; offset += pieceLength) {
    const piece = payload.subarray(offset, offset + pieceLength);
    pieces.push(createHash('sha1').update(piece).digest());
  }
  const info = bencode({
    files: paths.map((file, index) => ({ length: contents[index]!.length, path: file.split('/') })),
    name: treeName,
    'piece length': pieceLength,
    pieces: Buffer.concat(pieces),
    private: 1,
  });
  await writeFile(path, torrentFile(info, { tracker }));
}
