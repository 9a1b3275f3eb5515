import type { ContentSink } from '../release/builder.ts';
import type { BytePath } from '../release/path.ts';

/** Something found in a tree, before its bytes are read. */
export type TreeEntry =
  | { readonly kind: 'file'; readonly path: BytePath; readonly executable: boolean; readonly size: number }
  | { readonly kind: 'link'; readonly path: BytePath; readonly target: BytePath }
  | { readonly kind: 'folder'; readonly path: BytePath };

export type TreeFile = Extract<TreeEntry, { kind: 'file' }>;

/** A folder or a commit, ready to be packed. */
export interface Tree {
  /** Sorted by the bytes of their paths; of folders only the empty ones. */
  readonly entries: readonly TreeEntry[];
  readonly commit?: string;
  readonly timeSeconds?: number;
  /**
   * Gives every file's bytes to the sink, in the order of `entries`.
   * @throws ReleaseError `tree-unreadable`, `tree-changed`, `kind-unsupported`, `git-failed`
   */
  readFiles(sink: ContentSink, onBytes: (count: number) => void): Promise<void>;
}

/** Sorts, and drops the folders that hold something: their contents' paths tell of them. */
export function arrange<E extends { readonly kind: string; readonly path: BytePath }>(
  found: readonly E[],
): E[] {
  const sorted = [...found].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const filled = new Set<string>();
  for (const { path } of sorted) {
    const slash = path.lastIndexOf('/');
    if (slash > 0) filled.add(path.slice(0, slash));
  }
  return sorted.filter(({ kind, path }) => kind !== 'folder' || !filled.has(path));
}
