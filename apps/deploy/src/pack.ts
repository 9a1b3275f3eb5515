import { ReleaseError } from './errors.ts';
import { ContentBuilder } from './release/builder.ts';
import { encodeRelease, inspectRelease, type Release } from './release/container.ts';
import type { SigningKey } from './release/keys.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from './release/limits.ts';
import type { Entry, Manifest } from './release/manifest.ts';
import { pieceLengthFor } from './release/pieces.ts';
import { checkName } from './release/rules.ts';
import { openFolderTree } from './tree/folder-tree.ts';
import { openGitTree } from './tree/git-tree.ts';
import type { Tree } from './tree/tree.ts';

export interface PackOptions {
  /** A folder, or what git calls a commit (a branch, a tag, a hash) in a repository. */
  readonly source: { readonly folder: string } | { readonly repository: string; readonly ref: string };
  readonly app: string;
  readonly version: string;
  /** Without it the release is not signed, and no host takes it. */
  readonly key?: SigningKey;
  /** For a folder: the commit it was made of, hexadecimal. A ref brings its own. */
  readonly commit?: string;
  /** For a folder: SOURCE_DATE_EPOCH. A ref brings its commit's time. */
  readonly timeSeconds?: number;
  /** Paths that don't count, such as the release file's own. */
  readonly leaveOut?: readonly string[];
  /** Paths that must not be in the tree, such as the key's. */
  readonly secrets?: readonly string[];
  readonly limits?: ReleaseLimits;
  /** Called often. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface Packed {
  /** What belongs into the release file. */
  readonly bytes: Buffer;
  readonly release: Release;
}

/**
 * Makes a release of a tree. The same tree gives the same bytes on every machine.
 * @throws ReleaseError: what can't be carried, by name
 */
export async function pack(options: PackOptions): Promise<Packed> {
  const { app, version, source, limits = RELEASE_LIMITS } = options;
  checkName('app', app);
  checkName('version', version);
  const tree = await openTree(options, limits);
  const treeBytes = sizeOf(tree);
  if (treeBytes > limits.treeBytes) {
    throw new ReleaseError(
      'release-too-large',
      `The tree has more bytes than are allowed (${limits.treeBytes}).`,
    );
  }
  const pieceLength = pieceLengthFor(treeBytes);
  const builder = new ContentBuilder(pieceLength);
  let done = 0;
  await tree.readFiles(builder, (count) => {
    done += count;
    options.onProgress?.(done, treeBytes);
  });
  const { files, chunks, pieces } = builder.finish();

  const contents = files.values();
  const commit = tree.commit ?? ('folder' in source ? options.commit : undefined);
  const timeSeconds = tree.timeSeconds ?? options.timeSeconds;
  const manifest: Manifest = {
    app,
    version,
    ...(commit === undefined ? {} : { commit }),
    ...(timeSeconds === undefined ? {} : { timeSeconds }),
    // The builder was given the files in the order of the entries.
    entries: tree.entries.map((entry): Entry => (entry.kind === 'file' ? contents.next().value! : entry)),
    chunks,
    pieceLength,
    pieces,
  };
  const bytes = encodeRelease(manifest, options.key);
  // Read back: what was packed is sure to be readable, and its limits and rules are one place's business.
  return { bytes, release: inspectRelease(bytes, limits) };
}

function openTree(options: PackOptions, limits: ReleaseLimits): Promise<Tree> {
  const { source, leaveOut = [], secrets = [] } = options;
  return 'folder' in source
    ? openFolderTree(source.folder, { limits, leaveOut, secrets })
    : openGitTree(source.repository, source.ref, limits);
}

function sizeOf(tree: Tree): number {
  let bytes = 0;
  for (const entry of tree.entries) if (entry.kind === 'file') bytes += entry.size;
  return bytes;
}
