import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { ReleaseError } from '../errors.ts';
import type { ContentSink } from '../release/builder.ts';
import type { BytePath } from '../release/path.ts';
import { BlobReader } from './blob-reader.ts';
import type { TreeFile } from './tree.ts';

const execute = promisify(execFile);
/** The listing of a tree as large as RELEASE_LIMITS allows. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;

/**
 * What a git command prints.
 * @throws ReleaseError `git-failed`, with git's own first line
 */
export async function git(repository: string, args: readonly string[]): Promise<Buffer> {
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

/**
 * Gives the blobs' bytes to the sink, as git stores them, in the order given.
 * @param objects the blob of each path
 * @throws ReleaseError `git-failed`
 */
export async function readBlobs(
  repository: string,
  files: readonly TreeFile[],
  objects: ReadonlyMap<BytePath, string>,
  sink: ContentSink,
  onBytes?: (count: number) => void,
): Promise<void> {
  if (files.length === 0) return;
  const child = spawn('git', ['-C', repository, 'cat-file', '--batch', '--buffer'], {
    env: environment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  const reader = new BlobReader(files, objects, sink, onBytes);
  try {
    // Its failure shows as an output that ends too soon.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${files.map(({ path }) => objects.get(path)).join('\n')}\n`);
    for await (const block of child.stdout) reader.push(block as Buffer);
    await ended;
    reader.finish();
  } catch (cause) {
    child.kill();
    await ended.catch(() => undefined);
    if (cause instanceof ReleaseError) throw cause;
    throw new ReleaseError('git-failed', `git cat-file: ${(cause as Error).message}`, { cause });
  }
}
