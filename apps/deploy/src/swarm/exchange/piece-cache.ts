import type { Buffers } from '../../tree/buffers.ts';

/**
 * Pieces in memory, of which the least lately used ones go first, and their buffers to what comes next. Each was
 * hashed when it came, or when it was read.
 */
export interface PieceCache {
  /**
   * Gives a piece's bytes, at once if they are here; undefined if they aren't on the disk as they should be. They must
   * not be used after `take` has returned. Those who ask for the same piece share one reading of it.
   */
  with(piece: number, take: (bytes: Buffer | undefined) => void): void;
  /** Takes over the buffer. */
  put(piece: number, bytes: Buffer): void;
  delete(piece: number): void;
}

interface Reading {
  readonly takers: ((bytes: Buffer | undefined) => void)[];
  /** It was lost meanwhile. */
  dropped: boolean;
}

export function createPieceCache(options: {
  readonly bytesMax: number;
  readonly pieceBytes: (piece: number) => number;
  readonly buffers: Buffers;
  readonly read: (piece: number, into: Buffer) => Promise<Buffer | undefined>;
}): PieceCache {
  const { bytesMax, pieceBytes, buffers, read } = options;
  const pieces = new Map<number, Buffer>();
  const readings = new Map<number, Reading>();
  let bytesHere = 0;

  const remove = (piece: number, bytes: Buffer): void => {
    pieces.delete(piece);
    bytesHere -= bytes.length;
    buffers.give(bytes);
  };

  const put = (piece: number, bytes: Buffer): void => {
    const before = pieces.get(piece);
    if (before !== undefined) remove(piece, before);
    pieces.set(piece, bytes);
    bytesHere += bytes.length;
    for (const [oldest, old] of pieces) {
      if (bytesHere <= bytesMax || oldest === piece) break;
      remove(oldest, old);
    }
  };

  const start = async (piece: number): Promise<void> => {
    const reading: Reading = { takers: [], dropped: false };
    readings.set(piece, reading);
    const into = buffers.take(pieceBytes(piece));
    const bytes = await read(piece, into).catch(() => undefined);
    readings.delete(piece);
    for (const take of reading.takers) take(bytes);
    // Not kept if it is wrong: it may be readable the next time.
    if (bytes === undefined || reading.dropped || pieces.has(piece)) buffers.give(into);
    else put(piece, bytes);
  };

  return {
    with(piece, take) {
      const bytes = pieces.get(piece);
      if (bytes !== undefined) {
        // Now the latest.
        pieces.delete(piece);
        pieces.set(piece, bytes);
        take(bytes);
        return;
      }
      if (!readings.has(piece)) void start(piece);
      readings.get(piece)!.takers.push(take);
    },
    put,
    delete(piece) {
      const bytes = pieces.get(piece);
      if (bytes !== undefined) remove(piece, bytes);
      const reading = readings.get(piece);
      if (reading !== undefined) reading.dropped = true;
    },
  };
}
