import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { ReleaseError } from '../errors.ts';
import type { ReleaseLimits } from '../release/limits.ts';
import { type BytePath, displayPath, joinPath, pathFromText } from '../release/path.ts';
import { checkEntries } from '../release/rules.ts';
import { diskError, onDisk, readTarget } from './disk.ts';
import { IGNORE_FILE, IGNORE_FILE_BYTES_MAX, IgnoreRules } from './ignore.ts';
import { type FileToRead, readFiles } from './read-files.ts';
import { refuseAll } from './refusals.ts';
import { arrange, type Tree, type TreeEntry } from './tree.ts';
import { type Found, walk } from './walk.ts';

const SETUID_SETGID = 0o6000;
const OWNER_MAY_EXECUTE = 0o100;

export interface FolderTreeOptions {
  readonly limits: ReleaseLimits;
  /** Paths of this machine that don't count, such as the release file itself. */
  readonly leaveOut?: readonly string[];
  /** Paths of this machine that must not be carried, such as the key. */
  readonly secrets?: readonly string[];
}

/**
 * A folder as it is now.
 * @throws ReleaseError: everything in it that can't be carried, by name
 */
export async function openFolderTree(folder: string, options: FolderTreeOptions): Promise<Tree> {
  const root = await resolveFolder(folder);
  const leaveOut = new Set(await pathsWithin(root, options.leaveOut ?? []));
  const rules = new IgnoreRules();
  const found = await walk(root, {
    entriesMax: options.limits.entries,
    enter: async (inside, names) => {
      if (names.includes(IGNORE_FILE)) await readIgnoreFile(root, inside, rules);
    },
    accept: ({ path, stats }) => !leaveOut.has(path) && !rules.ignores(path, stats.isDirectory()),
  });

  const refusals: ReleaseError[] = [];
  const files = new Map<string, FileToRead>();
  const entries: TreeEntry[] = [];
  for (const one of found) {
    const { path, stats } = one;
    const refusal = refuse(one);
    if (refusal !== undefined) refusals.push(refusal);
    else if (stats.isDirectory()) entries.push({ kind: 'folder', path });
    else if (stats.isSymbolicLink())
      entries.push({ kind: 'link', path, target: await readTarget(root, path) });
    else {
      const executable = (stats.mode & OWNER_MAY_EXECUTE) !== 0;
      files.set(path, { path, executable, stats });
      entries.push({ kind: 'file', path, executable, size: stats.size });
    }
  }
  for (const secret of await pathsWithin(root, options.secrets ?? [])) {
    if (!files.has(secret)) continue;
    refusals.push(
      new ReleaseError(
        'key-in-tree',
        `${displayPath(secret)}: the key that signs would travel with the release`,
      ),
    );
  }
  refuseAll(refusals);
  const arranged = arrange(entries);
  checkEntries(arranged, options.limits);
  return {
    entries: arranged,
    readFiles: (sink, onBytes) => {
      const inOrder = arranged.flatMap(({ path }) => files.get(path) ?? []);
      return readFiles(root, inOrder, sink, { onBytes });
    },
  };
}

/** @throws ReleaseError `tree-unreadable` */
export async function resolveFolder(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    throw new ReleaseError('tree-unreadable', `${folder}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
  throw new ReleaseError('tree-unreadable', `${folder}: this is no folder`);
}

function refuse({ path, stats }: Found): ReleaseError | undefined {
  const unsupported = (what: string): ReleaseError =>
    new ReleaseError('kind-unsupported', `${displayPath(path)}: ${what} can't be carried`);
  if (stats.isSocket()) return unsupported('a socket');
  if (stats.isFIFO()) return unsupported('a named pipe');
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return unsupported('a device');
  // A folder's setgid only hands its group on, and groups aren't carried.
  if (stats.isFile() && (stats.mode & SETUID_SETGID) !== 0) {
    return new ReleaseError('mode-unsupported', `${displayPath(path)}: setuid and setgid can't be carried`);
  }
  return undefined;
}

async function readIgnoreFile(root: string, folder: BytePath, rules: IgnoreRules): Promise<void> {
  const path = joinPath(folder, IGNORE_FILE);
  try {
    const stats = await lstat(onDisk(root, path));
    // A link, as in git, is just a link.
    if (!stats.isFile()) return;
    if (stats.size <= IGNORE_FILE_BYTES_MAX) return rules.add(folder, await readFile(onDisk(root, path)));
  } catch (error) {
    throw diskError('tree-unreadable', path, error);
  }
  throw new ReleaseError(
    'release-too-large',
    `${displayPath(path)}: longer than ${IGNORE_FILE_BYTES_MAX} bytes`,
  );
}

/** Those of the paths that are inside the folder, as paths of the tree. */
async function pathsWithin(root: string, paths: readonly string[]): Promise<BytePath[]> {
  const within: BytePath[] = [];
  for (const path of paths) {
    const absolute = resolve(path);
    // The last name as it stands: it may not exist yet.
    const parent = await realpath(dirname(absolute)).catch(() => dirname(absolute));
    const inside = relative(root, resolve(parent, absolute.slice(dirname(absolute).length + 1)));
    if (inside !== '' && !inside.startsWith('..')) within.push(pathFromText(inside));
  }
  return within;
}
