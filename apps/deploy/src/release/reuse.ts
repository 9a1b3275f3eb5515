import type { Layout } from './layout.ts';
import type { Entry, Manifest } from './manifest.ts';
import type { BytePath } from './path.ts';

/** What a folder holds: of its own manifest, or of a scan. `Folder` is whatever tells its reader which folder. */
export interface Holding<Folder> {
  readonly folder: Folder;
  readonly content: Pick<Manifest, 'entries' | 'chunks'>;
}

/** Where a part of a piece can be read. */
export interface ReadStep<Folder> {
  readonly folder: Folder;
  readonly path: BytePath;
  readonly offset: number;
  readonly pieceOffset: number;
  readonly length: number;
}

/** Bytes of a piece that no folder has. */
export interface MissingRange {
  readonly pieceOffset: number;
  readonly length: number;
}

/** Which pieces a host can build of what it has. What it reads by this must be hashed: files change. */
export interface ReusePlan<Folder> {
  readonly layout: Layout;
  /** Pieces of which every byte is at hand, ascending. */
  readonly buildable: readonly number[];
  /** Pieces that must come from elsewhere, ascending. */
  readonly fetch: readonly number[];
  /** Bytes of the pieces to fetch, and of what is really new in them. */
  readonly fetchBytes: number;
  readonly missingBytes: number;
  /** How to read what there is of a piece; adjoining reads of one file are one step. */
  steps(piece: number): ReadStep<Folder>[];
  /** What there is not; empty for the buildable. A peer may be asked for just these. */
  missing(piece: number): MissingRange[];
}

/** Looks for the new release's chunks in folders; earlier ones are preferred. Reads nothing. */
export function planReuse<Folder>(layout: Layout, holdings: readonly Holding<Folder>[]): ReusePlan<Folder> {
  const found = findChunks(layout.manifest, holdings);
  const buildable: number[] = [];
  const fetch: number[] = [];
  let fetchBytes = 0;
  let missingBytes = 0;
  for (let piece = 0; piece < layout.pieceCount; piece++) {
    const absent = layout.segments(piece).filter(({ chunk }) => found[chunk] === undefined);
    if (absent.length === 0) buildable.push(piece);
    else {
      fetch.push(piece);
      fetchBytes += layout.pieceBytes(piece);
      for (const { length } of absent) missingBytes += length;
    }
  }
  return {
    layout,
    buildable,
    fetch,
    fetchBytes,
    missingBytes,
    steps(piece) {
      const steps: ReadStep<Folder>[] = [];
      for (const { chunk, chunkOffset, pieceOffset, length } of layout.segments(piece)) {
        const source = found[chunk];
        if (source === undefined) continue;
        const { folder, path } = source;
        const offset = source.offset + chunkOffset;
        const last = steps.at(-1);
        if (
          last?.folder === folder &&
          last.path === path &&
          last.offset + last.length === offset &&
          last.pieceOffset + last.length === pieceOffset
        ) {
          steps[steps.length - 1] = { ...last, length: last.length + length };
        } else steps.push({ folder, path, offset, pieceOffset, length });
      }
      return steps;
    },
    missing(piece) {
      const ranges: MissingRange[] = [];
      for (const { chunk, pieceOffset, length } of layout.segments(piece)) {
        if (found[chunk] !== undefined) continue;
        const last = ranges.at(-1);
        if (last !== undefined && last.pieceOffset + last.length === pieceOffset) {
          ranges[ranges.length - 1] = { pieceOffset: last.pieceOffset, length: last.length + length };
        } else ranges.push({ pieceOffset, length });
      }
      return ranges;
    },
  };
}

interface Found<Folder> {
  readonly folder: Folder;
  readonly path: BytePath;
  readonly offset: number;
}

function findChunks<Folder>(
  { chunks }: Manifest,
  holdings: readonly Holding<Folder>[],
): (Found<Folder> | undefined)[] {
  const wanted = new Map<string, number>();
  chunks.ids.forEach((id, chunk) => {
    wanted.set(id, chunk);
  });
  const found: (Found<Folder> | undefined)[] = new Array(chunks.ids.length).fill(undefined);
  for (const { folder, content } of holdings) {
    for (const entry of content.entries as readonly Entry[]) {
      if (entry.kind !== 'file') continue;
      let offset = 0;
      for (const held of entry.chunks) {
        const chunk = wanted.get(content.chunks.ids[held]!);
        const length = content.chunks.lengths[held]!;
        // The length too: ids are short, and a chunk of another length is certainly another.
        if (chunk !== undefined && found[chunk] === undefined && chunks.lengths[chunk] === length) {
          found[chunk] = { folder, path: entry.path, offset };
        }
        offset += length;
      }
    }
  }
  return found;
}
