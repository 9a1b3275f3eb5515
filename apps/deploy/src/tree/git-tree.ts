import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import type { ReleaseLimits } from '../release/limits.ts';
import { type BytePath, displayPath, parentPath } from '../release/path.ts';
import { checkEntries } from '../release/rules.ts';
import { BlobReader } from './blob-reader.ts';
import { IGNORE_FILE, IGNORE_FILE_BYTES_MAX, IgnoreRules } from './ignore.ts';
import { refuseAll } from './refusals.ts';
import { arrange, type Tree, type TreeEntry, type TreeFile } from './tree.ts';

const execute = promisify(execFile);
/** The listing of a tree as large as RELEASE_LIMITS allows. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;

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
  const objects = new Map<string, string>();
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
    timeSeconds: Number(time.toString()),
    readFiles: (sink, onBytes) => {
      const files = entries.filter((entry) => entry.kind === 'file');
      return readBlobs(repository, files, (path) => objects.get(path)!, refusingPointers(sink), onBytes);
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

async function git(repository: string, args: readonly string[]): Promise<Buffer> {
  try {
    const options = { encoding: 'buffer', maxBuffer: OUTPUT_BYTES_MAX, env: environment() } as const;
    return (await execute('git', ['-C', repository, ...args], options)).stdout;
  } catch (cause) {
    const { stderr, code } = cause as { stderr?: Buffer; code?: unknown };
    const said =
      code === 'ENOENT' ? 'git is not installed' : (stderr?.toString().trim().split('\n')[0] ?? '');
    throw new ReleaseError('git-failed', said || `git ${args[0]} found nothing`, { cause });
  }
}

/** The same commit must give the same tree, whatever this repository or this user has set. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', GIT_NO_REPLACE_OBJECTS: '1', GIT_OPTIONAL_LOCKS: '0' };
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
  await readBlobs(
    repository,
    files,
    (path) => objects.get(path)!,
    sink,
    () => undefined,
  );
  return contents;
}

async function readBlobs(
  repository: string,
  files: readonly TreeFile[],
  objectOf: (path: BytePath) => string,
  sink: ContentSink,
  onBytes: (count: number) => void,
): Promise<void> {
  if (files.length === 0) return;
  const child = spawn('git', ['-C', repository, 'cat-file', '--batch', '--buffer'], {
    env: environment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  const reader = new BlobReader(files, objectOf, sink, onBytes);
  try {
    // Its failure shows as an output that ends too soon.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${files.map(({ path }) => objectOf(path)).join('\n')}\n`);
    for await (const block of child.stdout) reader.push(block as Buffer);
    await ended;
    reader.finish();
  } catch (cause) {
    child.kill();
    if (cause instanceof ReleaseError) throw cause;
    throw new ReleaseError('git-failed', `git cat-file: ${(cause as Error).message}`, { cause });
  }
}

const POINTER = Buffer.from('version https://git-lfs.github.com/spec/');
/** The specification's bound for a pointer. */
const POINTER_BYTES_MAX = 1024;

/** A pointer of Git LFS stands for bytes that git doesn't have; carried, it would run as a broken file. */
function refusingPointers(sink: ContentSink): ContentSink {
  let path: BytePath;
  let head: Buffer = Buffer.alloc(0);
  let size = 0;
  return {
    begin(file) {
      path = file.path;
      head = Buffer.alloc(0);
      size = 0;
      sink.begin(file);
    },
    bytes(block) {
      if (head.length < POINTER.length)
        head = Buffer.concat([head, block.subarray(0, POINTER.length - head.length)]);
      size += block.length;
      sink.bytes(block);
    },
    end() {
      if (size < POINTER_BYTES_MAX && head.equals(POINTER)) {
        throw new ReleaseError(
          'kind-unsupported',
          `${displayPath(path)}: only a pointer of Git LFS is in git; check the commit out and pack the folder`,
        );
      }
      sink.end();
    },
  };
}
