import createIgnore, { type Ignore } from 'ignore';
import { type BytePath, parentPath } from '../release/path.ts';

export const IGNORE_FILE: BytePath = '.rookeryignore' as BytePath;
/** Longer lists are a mistake: each line is tried on each name. */
export const IGNORE_FILE_BYTES_MAX: number = 1024 * 1024;

const GIT = '.git';
const OPTIONS = { ignorecase: false, allowRelativePaths: true };

/**
 * What the ignore files of a tree leave out: gitignore syntax, each file for its folder and below, later lines and
 * deeper files over earlier ones. Names are matched by their bytes, as git does. What is called .git never counts.
 */
export class IgnoreRules {
  readonly #byFolder = new Map<string, Ignore>([['', createIgnore(OPTIONS)]]);

  /** Adds the ignore file of `folder`; those of the folders above must have come before. */
  add(folder: BytePath, content: Buffer): void {
    const lines = content.toString('latin1').replace(UTF8_BOM, '').split(/\r?\n/);
    const rules = createIgnore(OPTIONS).add(this.#rulesFor(folder));
    rules.add(lines.map((line) => within(folder, line)).filter((line) => line !== undefined));
    this.#byFolder.set(folder, rules);
  }

  ignores(path: BytePath, isFolder: boolean): boolean {
    // By no pattern: lists that say "!*/" and mean their own folders would take it in.
    if (path === GIT || path.endsWith(`/${GIT}`)) return true;
    return this.#rulesFor(parentPath(path)).ignores(isFolder ? `${path}/` : path);
  }

  #rulesFor(folder: BytePath): Ignore {
    for (let at = folder; ; at = parentPath(at)) {
      const rules = this.#byFolder.get(at);
      if (rules !== undefined) return rules;
    }
  }
}

const UTF8_BOM = '\xef\xbb\xbf';

/**
 * A line of `folder`'s file, said from the tree's root: all rules that hold at a place must be in one list, since the
 * last that matches decides.
 */
function within(folder: BytePath, line: string): string | undefined {
  if (line.trim() === '' || line.startsWith('#')) return undefined;
  const negated = line.startsWith('!');
  // The last byte of à, as a character by itself, is a space, and trailing spaces don't count.
  const pattern = line.slice(negated ? 1 : 0).replace(/\xa0(?=\s*$)/, '[\xa0]');
  if (folder === '') return `${negated ? '!' : ''}${pattern}`;
  const anchored = /\/./.test(pattern.trimEnd());
  const prefix = folder.replace(/[\\*?[\]!# ]/g, '\\$&');
  return `${negated ? '!' : ''}/${prefix}/${anchored ? pattern.replace(/^\//, '') : `**/${pattern}`}`;
}
