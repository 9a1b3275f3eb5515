import { createHash, type Hash } from 'node:crypto';

/** A small tree has small pieces, so that a small change is a small part of it too; clients take them as any others. */
export const PIECE_MIN_BYTES: number = 4 * 1024;
/** Enough for a small change to be a small part, few enough for bitfields, HAVE messages and pickers. */
const PIECES_AIM = 1024;
export const PIECE_HASH_BYTES = 20;

/** The smallest power of two, from 4 KiB up, that gives at most 1,024 pieces for a tree of so many bytes. */
export function pieceLengthFor(treeBytes: number): number {
  let length = PIECE_MIN_BYTES;
  while (length * PIECES_AIM < treeBytes) length *= 2;
  return length;
}

export function pieceCount(payloadBytes: number, pieceLength: number): number {
  return Math.ceil(payloadBytes / pieceLength);
}

/** Takes the payload from its beginning to its end, and gives the SHA-1 of each piece. */
export class PieceHasher {
  readonly #pieceLength: number;
  readonly #digests: Buffer[] = [];
  #hash: Hash = createHash('sha1');
  #filled = 0;

  constructor(pieceLength: number) {
    this.#pieceLength = pieceLength;
  }

  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const take = Math.min(bytes.length - at, this.#pieceLength - this.#filled);
      this.#hash.update(bytes.subarray(at, at + take));
      at += take;
      this.#filled += take;
      if (this.#filled === this.#pieceLength) this.#close();
    }
  }

  /** SHA-1 of each piece, one after the other. Call once, at the end. */
  finish(): Buffer {
    if (this.#filled > 0) this.#close();
    return Buffer.concat(this.#digests);
  }

  #close(): void {
    this.#digests.push(this.#hash.digest());
    this.#hash = createHash('sha1');
    this.#filled = 0;
  }
}
