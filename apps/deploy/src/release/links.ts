import { ReleaseError } from '../errors.ts';
import type { ReleaseLimits } from './limits.ts';
import type { LinkEntry } from './manifest.ts';
import { type BytePath, displayPath, parentPath } from './path.ts';

/** Linux gives up after 40 links (path_resolution(7)), others sooner: what goes further leads nowhere. */
const LINKS_FOLLOWED_MAX = 40;

/**
 * Checks that no link leads out of the tree, whatever other links it goes by: `a -> b/..` is harmless to the eye, and
 * outside if b is a link to the tree's root.
 * @throws ReleaseError `link-escapes`, `path-invalid`, `release-too-large`
 */
export function checkLinks(links: readonly LinkEntry[], limits: ReleaseLimits): void {
  const targets = new Map<string, BytePath>(links.map(({ path, target }) => [path, target]));
  let steps = 0;
  for (const link of links) {
    checkTarget(link, limits);
    const at = split(parentPath(link.path));
    const ahead = split(link.target).reverse();
    let followed = 0;
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      steps += at.length + 1;
      if (steps > limits.linkSteps) {
        throw new ReleaseError(
          'release-too-large',
          `${displayPath(link.path)}: the links lead through too many links`,
        );
      }
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (at.pop() === undefined) throw escapes(link);
        continue;
      }
      at.push(name);
      const target = targets.get(at.join('/'));
      if (target === undefined) continue;
      if (++followed > LINKS_FOLLOWED_MAX) break;
      if (target.startsWith('/')) throw escapes(link);
      at.pop();
      ahead.push(...split(target).reverse());
    }
  }
}

function checkTarget(link: LinkEntry, limits: ReleaseLimits): void {
  const { target } = link;
  if (target.startsWith('/')) throw escapes(link);
  if (target === '' || target.includes('\0') || target.length > limits.targetBytes) {
    throw new ReleaseError(
      'path-invalid',
      `${displayPath(link.path)}: the link's target is empty, too long or has a NUL`,
    );
  }
}

function split(path: string): string[] {
  return path === '' ? [] : path.split('/');
}

function escapes(link: LinkEntry): ReleaseError {
  return new ReleaseError(
    'link-escapes',
    `${displayPath(link.path)}: the link leads out of the tree (to ${displayPath(link.target)})`,
  );
}
