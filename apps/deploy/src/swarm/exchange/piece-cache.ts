/** Pieces in memory, the least lately used ones go first. Readers of the same piece share one read. */
export interface PieceCache {
  get(piece: number): Promise<Buffer | undefined>;
  put(piece: number, bytes: Buffer): void;
  delete(piece: number): void;
}

export function createPieceCache(
  bytesMax: number,
  pieceBytes: (piece: number) => number,
  read: (piece: number) => Promise<Buffer | undefined>,
): PieceCache {
  const pieces = new Map<number, Promise<Buffer | undefined>>();
  let bytes = 0;

  const remove = (piece: number): void => {
    if (pieces.delete(piece)) bytes -= pieceBytes(piece);
  };
  const keep = (piece: number, content: Promise<Buffer | undefined>): void => {
    remove(piece);
    pieces.set(piece, content);
    bytes += pieceBytes(piece);
    for (const oldest of pieces.keys()) {
      if (bytes <= bytesMax || oldest === piece) break;
      remove(oldest);
    }
  };
  return {
    async get(piece) {
      const content = pieces.get(piece) ?? read(piece);
      keep(piece, content);
      const there = await content;
      // Not kept: it may be readable the next time.
      if (there === undefined && pieces.get(piece) === content) remove(piece);
      return there;
    },
    put: (piece, content) => keep(piece, Promise.resolve(content)),
    delete: remove,
  };
}
