import { createHash, type Hash, hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import type { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import { RELEASE_LIMITS } from '../release/limits.ts';
import type { Entry, FileEntry, Manifest } from '../release/manifest.ts';
import { type BytePath, displayPath, parentPath } from '../release/path.ts';
import { readTarget } from './disk.ts';
import { resolveFolder } from './folder-tree.ts';
import { type FileToRead, readFiles } from './read-files.ts';
import { fileMode } from './staging.ts';
import { type Found, walk } from './walk.ts';

/** One way in which a folder is not what the manifest says. */
export interface Difference {
  readonly kind:
    | 'missing'
    | 'extra'
    /** Other bytes. */
    | 'changed'
    | 'wrong-mode'
    /** Another target. */
    | 'wrong-link'
    /** A folder where a file should be, or the like. */
    | 'wrong-kind'
    /** It can't be read, or changed while it was. */
    | 'unreadable';
  readonly path: BytePath;
  /** For people. */
  readonly detail: string;
}

export interface CompareOptions {
  /**
   * Whether modes must be 0644 and 0755 to the bit, as in what the deployer builds. Otherwise, as when packing, only
   * the owner's execute bit counts, and that nothing is setuid or setgid.
   */
  readonly exactModes?: boolean;
  readonly onBytes?: (count: number) => void;
  /** The folder was written a moment ago. */
  readonly justWritten?: boolean;
  /** A file whose bytes are known to be right, going by what it looks like now: it isn't read. */
  readonly isVerified?: (file: FileEntry, stats: Stats) => boolean;
  /** Each difference as soon as it is known. */
  readonly onDifference?: (difference: Difference) => void;
}

/**
 * Reads the whole folder and says every way in which it differs from the manifest, sorted by path.
 * @throws ReleaseError `tree-unreadable`, when the folder itself can't be listed
 */
export async function compareTree(
  manifest: Pick<Manifest, 'entries'>,
  folder: string,
  options: CompareOptions = {},
): Promise<Difference[]> {
  const root = await resolveFolder(folder);
  const differences: Difference[] = [];
  const report = (kind: Difference['kind'], path: BytePath, detail: string): void => {
    const difference = { kind, path, detail: `${displayPath(path)}: ${detail}` };
    differences.push(difference);
    options.onDifference?.(difference);
  };

  const { justWritten = false } = options;
  const found = new Map<string, Found>();
  const unreadable = new Map<string, ReleaseError>();
  // More than a release can hold is told as extra; the bound is only for memory.
  const entriesMax = RELEASE_LIMITS.entries * 2;
  const onUnreadable = (path: BytePath, error: ReleaseError): void => {
    // Gone since its name was read: missing, if it is expected at all.
    if (error.code !== 'tree-changed') unreadable.set(path, error);
  };
  for (const one of await walk(root, { entriesMax, justWritten, onUnreadable })) found.set(one.path, one);

  const toRead: (FileToRead & { readonly entry: FileEntry })[] = [];
  const expected = new Set<string>();
  for (const entry of manifest.entries) {
    expected.add(entry.path);
    for (let at = parentPath(entry.path); at !== '' && !expected.has(at); at = parentPath(at)) {
      expected.add(at);
      const folderFound = found.get(at);
      if (folderFound !== undefined && !folderFound.stats.isDirectory())
        report('wrong-kind', at, 'this is no folder');
    }
    const there = found.get(entry.path);
    if (there === undefined && unreadable.has(entry.path)) continue;
    if (there === undefined) report('missing', entry.path, `the ${entry.kind} is missing`);
    else if (!isKind(entry, there.stats)) report('wrong-kind', entry.path, `this is no ${entry.kind}`);
    else if (entry.kind === 'link') {
      const target = await readTarget(root, entry.path);
      if (target !== entry.target) {
        report(
          'wrong-link',
          entry.path,
          `leads to ${displayPath(target)} and not to ${displayPath(entry.target)}`,
        );
      }
    } else if (entry.kind === 'file') {
      const wrong = wrongMode(entry, there.stats, options.exactModes === true);
      if (wrong !== undefined) report('wrong-mode', entry.path, wrong);
      if (options.isVerified?.(entry, there.stats) === true) options.onBytes?.(entry.size);
      else if (there.stats.size === entry.size)
        toRead.push({ ...there, executable: entry.executable, entry });
      else report('changed', entry.path, `has ${there.stats.size} bytes and not ${entry.size}`);
    }
  }
  for (const [path, { message }] of unreadable) {
    // Of what is not in the release, that it is there says enough.
    if (expected.has(path)) report('unreadable', path as BytePath, reasonOf(path as BytePath, message));
  }
  for (const { path, stats } of found.values()) {
    if (!expected.has(path)) report('extra', path, `the ${nameOf(stats)} is not in the release`);
  }

  const sink = hashingSink(toRead, ({ path }, isRight) => {
    if (!isRight) report('changed', path, 'has other bytes');
  });
  await readFiles(root, toRead, sink, {
    ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }),
    justWritten,
    onFailure: ({ path }, { message }) => report('unreadable', path, reasonOf(path, message)),
  });
  return differences.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Says of each file whether its bytes are those of the manifest. */
export function hashingSink(
  files: readonly { readonly entry: FileEntry }[],
  onHashed: (entry: FileEntry, isRight: boolean) => void,
): ContentSink {
  const expected = new Map(files.map(({ entry }) => [entry.path, entry]));
  let entry: FileEntry;
  let begun: Hash | undefined;
  let digest: Buffer | undefined;
  return {
    begin({ path }) {
      entry = expected.get(path)!;
      begun = undefined;
      digest = undefined;
    },
    bytes(block) {
      // hot: what comes whole needs no object of its own.
      if (block.length === entry.size) digest = hash('sha256', block, 'buffer');
      else {
        begun ??= createHash('sha256');
        begun.update(block);
      }
    },
    end() {
      digest ??= (begun ?? createHash('sha256')).digest();
      onHashed(entry, digest.equals(entry.sha256));
    },
  };
}

/** An error's message without the path in front. */
function reasonOf(path: BytePath, message: string): string {
  return message.slice(displayPath(path).length + 2);
}

function isKind(entry: Entry, stats: Stats): boolean {
  if (entry.kind === 'file') return stats.isFile();
  return entry.kind === 'link' ? stats.isSymbolicLink() : stats.isDirectory();
}

const PERMISSIONS = 0o7777;
const EXECUTABLE_AND_SPECIAL = 0o6100;

function wrongMode(entry: FileEntry, { mode }: Stats, exact: boolean): string | undefined {
  const mask = exact ? PERMISSIONS : EXECUTABLE_AND_SPECIAL;
  if ((mode & mask) === (fileMode(entry) & mask)) return undefined;
  const octal = (value: number): string => value.toString(8).padStart(4, '0');
  return `has mode ${octal(mode & PERMISSIONS)} and not ${octal(fileMode(entry))}`;
}

function nameOf(stats: Stats): string {
  if (stats.isDirectory()) return 'folder';
  return stats.isSymbolicLink() ? 'link' : 'file';
}
