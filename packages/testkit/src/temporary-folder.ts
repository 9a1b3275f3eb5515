import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * A new folder for one test.
 * @example
 * await using folder = await temporaryFolder(); // removed at the end of the block
 */
export async function temporaryFolder(prefix = 'rookery-test-'): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  // A killed process' children may still write, as a hook of a host does: try again, for 10 s in all.
  const remove = (): Promise<void> =>
    rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
