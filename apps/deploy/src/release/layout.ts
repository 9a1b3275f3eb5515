import type { FileEntry, Manifest } from './manifest.ts';
import { pieceCount } from './pieces.ts';

/** A part of a piece that lies in one chunk. */
export interface Segment {
  readonly chunk: number;
  /** Where it begins in the chunk. */
  readonly chunkOffset: number;
  /** Where it begins in the piece. */
  readonly pieceOffset: number;
  readonly length: number;
}

/** A place in a file of the tree; a chunk has one for every time that it occurs. */
export interface Place {
  readonly file: FileEntry;
  readonly offset: number;
}

/** Where everything is: pieces, chunks, files. Pure; made once for a manifest. */
export interface Layout {
  readonly manifest: Manifest;
  readonly payloadBytes: number;
  readonly pieceCount: number;
  /** All are of the manifest's length but the last. */
  pieceBytes(piece: number): number;
  /** SHA-1, 20 bytes. */
  pieceHash(piece: number): Uint8Array;
  /** What a piece is made of, from its beginning to its end. */
  segments(piece: number): Segment[];
  /** Where a chunk's bytes go: at least one place. */
  places(chunk: number): Place[];
  /** The pieces that have bytes of a chunk: from the first to the last, both included. */
  piecesOf(chunk: number): { readonly first: number; readonly last: number };
}

export function createLayout(manifest: Manifest): Layout {
  const { pieceLength, pieces } = manifest;
  const { lengths } = manifest.chunks;
  const starts = new Float64Array(lengths.length + 1);
  for (let chunk = 0; chunk < lengths.length; chunk++) starts[chunk + 1] = starts[chunk]! + lengths[chunk]!;
  const payloadBytes = starts[lengths.length]!;
  const placed = placeChunks(manifest);

  const pieceBytes = (piece: number): number => Math.min(pieceLength, payloadBytes - piece * pieceLength);
  return {
    manifest,
    payloadBytes,
    pieceCount: pieceCount(payloadBytes, pieceLength),
    pieceBytes,
    pieceHash: (piece) => pieces.subarray(piece * 20, piece * 20 + 20),
    segments(piece) {
      const from = piece * pieceLength;
      const to = from + pieceBytes(piece);
      const segments: Segment[] = [];
      for (let chunk = chunkAt(starts, from), at = from; at < to; chunk++) {
        const length = Math.min(starts[chunk + 1]!, to) - at;
        segments.push({ chunk, chunkOffset: at - starts[chunk]!, pieceOffset: at - from, length });
        at += length;
      }
      return segments;
    },
    places: (chunk) => placed.of(chunk),
    piecesOf: (chunk) => ({
      first: Math.floor(starts[chunk]! / pieceLength),
      last: Math.floor((starts[chunk + 1]! - 1) / pieceLength),
    }),
  };
}

/** The chunk that has the payload's byte at `offset`. */
function chunkAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** All places of all chunks in flat arrays, grouped by chunk: a list for each would cost ten times the memory. */
function placeChunks({ entries, chunks }: Manifest): { of(chunk: number): Place[] } {
  const files = entries.filter((entry) => entry.kind === 'file');
  const firsts = new Uint32Array(chunks.lengths.length + 1);
  for (const file of files) for (const chunk of file.chunks) firsts[chunk + 1]!++;
  for (let chunk = 0; chunk < chunks.lengths.length; chunk++) firsts[chunk + 1]! += firsts[chunk]!;
  const total = firsts[chunks.lengths.length]!;
  const fileOf = new Uint32Array(total);
  const offsetOf = new Float64Array(total);
  const next = firsts.slice();
  files.forEach((file, number) => {
    let offset = 0;
    for (const chunk of file.chunks) {
      const slot = next[chunk]!++;
      fileOf[slot] = number;
      offsetOf[slot] = offset;
      offset += chunks.lengths[chunk]!;
    }
  });
  return {
    of(chunk) {
      const places: Place[] = [];
      for (let slot = firsts[chunk]!; slot < firsts[chunk + 1]!; slot++) {
        places.push({ file: files[fileOf[slot]!]!, offset: offsetOf[slot]! });
      }
      return places;
    },
  };
}
