import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

const FILES = 400;
const FOLDERS = 20;

/** Random bytes in 400 files of half to one and a half of the average each. */
export async function writeTree(tree: string, bytes: number): Promise<void> {
  let left = bytes;
  for (let file = 0; file < FILES; file++) {
    const folder = join(tree, `folder-${file % FOLDERS}`);
    await mkdir(folder, { recursive: true });
    const size = file === FILES - 1 ? left : Math.round((left / (FILES - file)) * (0.5 + Math.random()));
    await writeFile(join(folder, `file-${file}`), randomBytes(Math.min(size, left)));
    left -= Math.min(size, left);
  }
}

/** Relative paths, sorted. */
export async function filesOf(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => relative(tree, join(parentPath, name))).sort();
}

/** @throws when a byte differs, or a file is missing or too many */
export async function checkSame(tree: string, copy: string): Promise<void> {
  await promisify(execFile)('diff', ['--recursive', '--brief', tree, copy]);
}
