import { readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { HostError } from './errors.ts';

/** Where things are on a host: Capistrano's layout, and one folder of our own. */
export interface HostLayout {
  readonly root: string;
  readonly releases: string;
  readonly current: string;
  readonly shared: string;
  readonly revisionsLog: string;
  /** `.rookery`. */
  readonly own: string;
  readonly records: string;
  readonly incoming: string;
  readonly trash: string;
  /** The link that leads back, and the one that leads forth, each ready to be renamed. */
  readonly back: string;
  readonly next: string;
  readonly stack: string;
  readonly hook: string;
  release(name: string): string;
  record(name: string): string;
  releaseFile(name: string): string;
  incomingFile(id: string): string;
}

export function hostLayout(root: string): HostLayout {
  const own = join(root, '.rookery');
  const records = join(own, 'releases');
  const incoming = join(own, 'incoming');
  const releases = join(root, 'releases');
  return {
    root,
    releases,
    current: join(root, 'current'),
    shared: join(root, 'shared'),
    revisionsLog: join(root, 'revisions.log'),
    own,
    records,
    incoming,
    trash: join(own, 'trash'),
    back: join(own, 'back'),
    next: join(own, 'next'),
    stack: join(own, 'stack.json'),
    hook: join(own, 'hook.json'),
    release: (name) => join(releases, name),
    record: (name) => join(records, `${name}.json`),
    releaseFile: (name) => join(records, `${name}.release`),
    incomingFile: (id) => join(incoming, `${id}.release`),
  };
}

/**
 * The name of the release that `current` leads to; null when there is no `current`.
 * @throws HostError `root-unusable`: it is no link, or leads somewhere else
 */
export async function currentRelease(layout: HostLayout): Promise<string | null> {
  let target: string;
  try {
    target = await readlink(layout.current);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'EINVAL') {
      throw new HostError(
        'root-unusable',
        `${layout.current} is no link: move it away, it is not a deployed release`,
      );
    }
    throw error;
  }
  const path = resolve(layout.root, target);
  if (dirname(path) !== layout.releases) {
    throw new HostError(
      'root-unusable',
      `${layout.current} leads to ${target}, which is not in ${layout.releases}: remove the link or mend it`,
    );
  }
  return basename(path);
}

/** Names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
