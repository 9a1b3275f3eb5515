import type { BytePath } from './path.ts';

/** What a release says of a tree. Pure data; `rules.ts` says what it may be, `body.ts` how it is written. */
export interface Manifest {
  /** Names and versions are folders' names on the hosts: see NAME_PATTERN. */
  readonly app: string;
  readonly version: string;
  /** Hexadecimal; absent when the tree is from no commit. */
  readonly commit?: string;
  /** Seconds since 1970: the commit's time or SOURCE_DATE_EPOCH; absent when neither is there. */
  readonly timeSeconds?: number;
  /** Sorted by the bytes of their paths. */
  readonly entries: readonly Entry[];
  readonly chunks: ChunkTable;
  /** A power of two. */
  readonly pieceLength: number;
  /** SHA-1 of each piece, 20 bytes each. */
  readonly pieces: Uint8Array;
}

export type Entry = FileEntry | LinkEntry | FolderEntry;

export interface FileEntry {
  readonly kind: 'file';
  readonly path: BytePath;
  readonly executable: boolean;
  readonly size: number;
  /** SHA-256, 32 bytes. */
  readonly sha256: Uint8Array;
  /** Its bytes: numbers of chunks in the payload's order. */
  readonly chunks: readonly number[];
}

export interface LinkEntry {
  readonly kind: 'link';
  readonly path: BytePath;
  readonly target: BytePath;
}

/** A folder with nothing in it; others are told by what they hold. */
export interface FolderEntry {
  readonly kind: 'folder';
  readonly path: BytePath;
}

/** The payload's chunks in its order: each distinct one once. */
export interface ChunkTable {
  readonly lengths: readonly number[];
  /** The first 8 bytes of each chunk's SHA-256, one character a byte. */
  readonly ids: readonly string[];
}

export const CHUNK_ID_BYTES = 8;

/** Letters, digits and `. _ + -`, beginning with a letter or digit: a safe name for a folder, an argument, a label. */
export const NAME_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;
