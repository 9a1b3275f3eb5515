import { mkdir, readlink, realpath, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { HostError } from './errors.ts';
import type { HostLayout } from './layout.ts';
import type { HostSettings } from './settings.ts';

/**
 * Makes the shared folders, and looks for the files, which only their owner can make.
 * @throws HostError `shared-missing`
 */
export async function prepareShared(layout: HostLayout, settings: HostSettings): Promise<void> {
  await mkdir(layout.shared, { recursive: true });
  for (const path of settings.linkedFolders) await mkdir(join(layout.shared, path), { recursive: true });
  const missing: string[] = [];
  for (const path of settings.linkedFiles) {
    const file = join(layout.shared, path);
    await mkdir(dirname(file), { recursive: true });
    if (!(await isThere(file))) missing.push(file);
  }
  if (missing.length > 0) {
    throw new HostError(
      'shared-missing',
      `${missing.join(', ')}: a linked file is not there; put it there first`,
    );
  }
}

/** Links what is shared into a release, in place of what the release has there. May be done again at any time. */
export async function linkShared(layout: HostLayout, settings: HostSettings, name: string): Promise<void> {
  const release = await realpath(layout.release(name));
  for (const path of [...settings.linkedFiles, ...settings.linkedFolders]) {
    const place = join(release, path);
    await mkdir(dirname(place), { recursive: true });
    // By way of the release's own links, and of those that were made here, now or when this release ran before.
    const inside = relative(release, await realpath(dirname(place)));
    // Its folder is a linked one: what is in its place is the shared file itself.
    if (inside === '..' || inside.startsWith(`..${sep}`)) continue;
    const target = relative(join(layout.release(name), inside), join(layout.shared, path));
    if ((await readlink(place).catch(() => undefined)) === target) continue;
    await rm(place, { recursive: true, force: true });
    await symlink(target, place);
  }
}

/** Whether a path of the release is a linked one, or below one. */
export function isLinked({ linkedFiles, linkedFolders }: HostSettings, path: string): boolean {
  return [...linkedFiles, ...linkedFolders].some(
    (linked) => path === linked || path.startsWith(`${linked}/`),
  );
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
