import type { Stats } from 'node:fs';

/** What tells by a look whether a file is the one that was read, and nobody has written to it since. */
export type Stamp = Pick<Stats, 'dev' | 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>;

/** Nothing else of the file's stats: they are kept for many thousands of files. */
export function stampOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): Stamp {
  return { dev, ino, size, mtimeMs, ctimeMs };
}

export function isSameStamp(a: Stamp, b: Stamp): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs
  );
}

/** Ten times the coarsest tick of a kernel's clock. */
const SETTLED_MS = 100;

/**
 * Whether whatever is written from now on gives the file another time of change (ctime), which no program can set.
 * Not so when it has just changed, as a clock ticks every few milliseconds; nor when the file system may keep whole
 * seconds only; nor when its clock is ahead of this one.
 * @param now milliseconds since 1970
 */
export function isSettled({ ctimeMs }: Stamp, now: number): boolean {
  return now - ctimeMs >= SETTLED_MS && ctimeMs % 1_000 !== 0;
}
