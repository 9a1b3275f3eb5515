import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import type { ReleaseLimits } from '../release/limits.ts';
import { type BytePath, displayPath, parentPath } from '../release/path.ts';
import { checkEntries } from '../release/rules.ts';
import { git, readBlobs } from './git.ts';
import { IGNORE_FILE, IGNORE_FILE_BYTES_MAX, IgnoreRules } from './ignore.ts';
import { refusingPointers } from './lfs-pointer.ts';
import { refuseAll } from './refusals.ts';
import { arrange, type Tree, type TreeEntry, type TreeFile } from './tree.ts';

/** What `git ls-tree` says of one thing. */
interface Listed {
  readonly mode: string;
  readonly object: string;
  readonly size: number;
  readonly path: BytePath;
}

/**
 * A commit's tree, as git stores it: no filters, no end-of-line conversion, no export attributes, no replaced objects.
 * @param ref anything that git resolves to a commit
 * @throws ReleaseError `git-failed`; everything in the tree that can't be carried, by name
 */
export async function openGitTree(repository: string, ref: string, limits: ReleaseLimits): Promise<Tree> {
  const commit = await resolveCommit(repository, ref);
  const time = await git(repository, ['show', '--no-patch', '--no-show-signature', '--format=%ct', commit]);
  const listing = await git(repository, ['ls-tree', '-r', '-t', '-z', '-l', '--full-tree', commit]);
  const listed = listing.toString('latin1').split('\0').filter(Boolean).map(parseLine);

  const rules = await readIgnoreFiles(repository, listed);
  const kept = listed.filter(({ mode, path }) => !rules.ignores(path, mode === MODE.folder));
  refuseAll(
    kept
      .filter(({ mode }) => mode === MODE.submodule)
      .map(
        ({ path }) =>
          new ReleaseError(
            'kind-unsupported',
            `${displayPath(path)}: a submodule can't be carried; check it out and pack the folder`,
          ),
      ),
  );
  const targets = await readTargets(
    repository,
    kept.filter(({ mode }) => mode === MODE.link),
    limits,
  );
  const objects = new Map<BytePath, string>();
  const entries = arrange(
    kept.map((one): TreeEntry => {
      const { mode, path, size } = one;
      if (mode === MODE.folder) return { kind: 'folder', path };
      if (mode === MODE.link) return { kind: 'link', path, target: targets.get(path)! };
      objects.set(path, one.object);
      return { kind: 'file', path, size, executable: mode === MODE.executable };
    }),
  );
  checkEntries(entries, limits);
  return {
    entries,
    commit,
    // Git takes years before 1970 too; a release doesn't.
    timeSeconds: Math.max(0, Number(time.toString())),
    readFiles: (sink, onBytes) => {
      const files = entries.filter((entry) => entry.kind === 'file');
      return readBlobs(repository, files, objects, refusingPointers(sink), onBytes);
    },
  };
}

const MODE = { folder: '040000', link: '120000', executable: '100755', submodule: '160000' } as const;

function parseLine(line: string): Listed {
  const tab = line.indexOf('\t');
  const [mode, , object, size] = line.slice(0, tab).split(/ +/);
  return { mode: mode!, object: object!, size: Number(size) || 0, path: line.slice(tab + 1) as BytePath };
}

async function resolveCommit(repository: string, ref: string): Promise<string> {
  try {
    const found = await git(repository, [
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${ref}^{commit}`,
    ]);
    return found.toString().trim();
  } catch (cause) {
    const said = (cause as ReleaseError).message;
    throw new ReleaseError(
      'git-failed',
      `${ref}: neither a folder nor a commit that git knows here (${said})`,
      { cause },
    );
  }
}

async function readIgnoreFiles(repository: string, listed: readonly Listed[]): Promise<IgnoreRules> {
  const rules = new IgnoreRules();
  const files = listed.filter(
    ({ path, mode }) => mode.startsWith('100') && (path === IGNORE_FILE || path.endsWith(`/${IGNORE_FILE}`)),
  );
  for (const { path, size } of files) {
    if (size <= IGNORE_FILE_BYTES_MAX) continue;
    throw new ReleaseError(
      'release-too-large',
      `${displayPath(path)}: longer than ${IGNORE_FILE_BYTES_MAX} bytes`,
    );
  }
  const contents = await readSmallBlobs(repository, files);
  // Parents first; git lists a folder's file before those of the folders in it only by chance of their names.
  const byDepth = [...contents].sort(([a], [b]) => a.split('/').length - b.split('/').length);
  for (const [path, content] of byDepth) rules.add(parentPath(path), content);
  return rules;
}

async function readTargets(
  repository: string,
  links: readonly Listed[],
  limits: ReleaseLimits,
): Promise<Map<BytePath, BytePath>> {
  const long = links.find(({ size }) => size > limits.targetBytes);
  if (long !== undefined)
    throw new ReleaseError('path-invalid', `${displayPath(long.path)}: the link's target is too long`);
  const contents = await readSmallBlobs(repository, links);
  return new Map([...contents].map(([path, content]) => [path, content.toString('latin1') as BytePath]));
}

async function readSmallBlobs(repository: string, blobs: readonly Listed[]): Promise<Map<BytePath, Buffer>> {
  const contents = new Map<BytePath, Buffer>();
  const objects = new Map(blobs.map(({ path, object }) => [path, object]));
  let at: BytePath;
  let parts: Uint8Array[] = [];
  const files = blobs.map(({ path, size }): TreeFile => ({ kind: 'file', path, size, executable: false }));
  const sink: ContentSink = {
    begin: ({ path }) => {
      at = path;
      parts = [];
    },
    bytes: (block) => void parts.push(Buffer.from(block)),
    end: () => void contents.set(at, Buffer.concat(parts)),
  };
  await readBlobs(repository, files, objects, sink);
  return contents;
}
