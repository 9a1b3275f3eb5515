import type { Layout } from '../release/layout.ts';
import type { FileEntry } from '../release/manifest.ts';

/** Which files become whole as pieces are written. Pure. */
export interface WholeFiles {
  /** Those that are whole from the beginning. */
  readonly before: readonly FileEntry[];
  /** A piece is in all its places: the files that it was the last for. */
  wrote(piece: number): FileEntry[];
}

/** @param has the pieces that are written already */
export function createWholeFiles(layout: Layout, has: (piece: number) => boolean): WholeFiles {
  const written = new Uint8Array(layout.pieceCount);
  const piecesLeft = new Map<FileEntry, number>();
  for (let piece = 0; piece < layout.pieceCount; piece++) {
    written[piece] = has(piece) ? 1 : 0;
    if (written[piece] === 1) continue;
    for (const file of filesOf(layout, piece)) piecesLeft.set(file, (piecesLeft.get(file) ?? 0) + 1);
  }
  return {
    before: layout.manifest.entries
      .filter((entry) => entry.kind === 'file')
      .filter((file) => !piecesLeft.has(file)),
    wrote(piece) {
      const whole: FileEntry[] = [];
      // One that was lost is written again.
      if (written[piece] === 1) return whole;
      written[piece] = 1;
      for (const file of filesOf(layout, piece)) {
        const left = piecesLeft.get(file)!;
        if (left > 1) piecesLeft.set(file, left - 1);
        else {
          piecesLeft.delete(file);
          whole.push(file);
        }
      }
      return whole;
    },
  };
}

function filesOf(layout: Layout, piece: number): Set<FileEntry> {
  const files = new Set<FileEntry>();
  for (const { chunk } of layout.segments(piece)) {
    for (const { file } of layout.places(chunk)) files.add(file);
  }
  return files;
}
