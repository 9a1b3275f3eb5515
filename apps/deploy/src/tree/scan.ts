import { type BuiltContent, ContentBuilder } from '../release/builder.ts';
import { RELEASE_LIMITS } from '../release/limits.ts';
import type { Holding } from '../release/reuse.ts';
import { resolveFolder } from './folder-tree.ts';
import { readFiles } from './read-files.ts';
import { walk } from './walk.ts';

/**
 * Reads a folder that has no manifest and says what chunks it holds. What can't be read or changes meanwhile is left
 * out: this only looks for bytes that need not be fetched.
 * @throws ReleaseError `tree-unreadable` when the folder itself can't be listed
 */
export async function scanFolder(
  folder: string,
  options: { readonly onBytes?: (count: number) => void } = {},
): Promise<Holding<string>> {
  const root = await resolveFolder(folder);
  const found = await walk(root, { entriesMax: RELEASE_LIMITS.entries, onUnreadable: leaveOut });
  const builder = new ContentBuilder();
  await readFiles(
    root,
    found.filter(({ stats }) => stats.isFile()).map((one) => ({ ...one, executable: false })),
    builder,
    { ...options, onFailure: leaveOut },
  );
  const { files, chunks }: BuiltContent = builder.finish();
  return { folder: root, content: { entries: files, chunks } };
}

function leaveOut(): undefined {
  return undefined;
}
