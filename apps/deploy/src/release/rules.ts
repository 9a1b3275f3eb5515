import { ReleaseError } from '../errors.ts';
import type { ReleaseLimits } from './limits.ts';
import { checkLinks } from './links.ts';
import { NAME_PATTERN } from './manifest.ts';
import { type BytePath, checkPath, displayPath, foldPath } from './path.ts';

/** As much of an entry as the rules ask for; both what was found in a tree and what a manifest says fit. */
export type PlacedEntry =
  | { readonly kind: 'file' | 'folder'; readonly path: BytePath }
  | { readonly kind: 'link'; readonly path: BytePath; readonly target: BytePath };

/** @throws ReleaseError `name-invalid` */
export function checkName(what: 'app' | 'version', name: string): void {
  if (NAME_PATTERN.test(name)) return;
  throw new ReleaseError(
    'name-invalid',
    `${JSON.stringify(name.slice(0, 200))} can't be ${what === 'app' ? "an app's name" : 'a version'}: it must begin with a letter or digit and go on with those or . _ + -, at most 128`,
  );
}

/**
 * What every tree must keep to, found or declared. Entries come sorted by the bytes of their paths.
 * @throws ReleaseError of a `path-` code, `link-escapes`, `release-damaged` (not sorted), `release-too-large`
 */
export function checkEntries(entries: readonly PlacedEntry[], limits: ReleaseLimits): void {
  if (entries.length > limits.entries) {
    throw new ReleaseError(
      'release-too-large',
      `The tree has more entries than are allowed (${limits.entries}).`,
    );
  }
  let before: BytePath | undefined;
  for (const { path } of entries) {
    checkPath(path, limits);
    if (path === before)
      throw new ReleaseError('path-duplicate', `${displayPath(path)}: the path is there twice`);
    if (before !== undefined && path < before) {
      throw new ReleaseError('release-damaged', 'The release is damaged: its paths are not in order.');
    }
    before = path;
  }
  checkNames(entries);
  checkLinks(
    entries.filter((entry) => entry.kind === 'link'),
    limits,
  );
}

/** Nothing below what is no folder; no two names, folders' included, that some file systems take for one. */
function checkNames(entries: readonly PlacedEntry[]): void {
  const folders = new Set<string>();
  const byFold = new Map<string, BytePath>();
  const claim = (path: BytePath): void => {
    const fold = foldPath(path);
    const other = byFold.get(fold);
    if (other !== undefined) {
      throw new ReleaseError(
        'path-case',
        `${displayPath(path)} and ${displayPath(other)} differ only in case or Unicode form; some file systems take them for one`,
      );
    }
    byFold.set(fold, path);
  };
  for (const { path } of entries) {
    // From the deepest up: a folder that is known has its parents known.
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash) as BytePath;
      if (folders.has(folder)) break;
      folders.add(folder);
      claim(folder);
    }
  }
  for (const { path } of entries) {
    if (folders.has(path)) {
      throw new ReleaseError(
        'path-conflict',
        `${displayPath(path)}: there is something below it, and it is no plain folder`,
      );
    }
    claim(path);
  }
}
