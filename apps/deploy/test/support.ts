import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Random, type RunningProcess } from '@rookery/testkit';
import { type Packed, type PackOptions, pack } from '../src/pack.ts';
import { createLayout, type Layout } from '../src/release/layout.ts';

/** A file's content, or what else is to be at a path. */
export type Planted =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly executable: string }
  | 'folder!';

/** Makes files, links and folders; parents by themselves. */
export async function plant(root: string, tree: Readonly<Record<string, Planted>>): Promise<void> {
  for (const [path, what] of Object.entries(tree)) {
    const target = join(root, path);
    await mkdir(what === 'folder!' ? target : dirname(target), { recursive: true });
    if (what === 'folder!') continue;
    if (typeof what === 'string' || what instanceof Uint8Array) await writeFile(target, what);
    else if ('link' in what) await symlink(what.link, target);
    else {
      await writeFile(target, what.executable);
      await chmod(target, 0o755);
    }
  }
}

/** So many files in some folders, of random bytes and lengths. */
export async function plantMany(
  root: string,
  options: { readonly files: number; readonly seed: number; readonly bytes: (random: Random) => number },
): Promise<string[]> {
  const random = new Random(options.seed);
  const paths = Array.from({ length: options.files }, (_, i) => `part-${i % 17}/module-${i}.js`);
  for (const path of paths) await plant(root, { [path]: random.bytes(options.bytes(random)) });
  return paths;
}

export function packFolder(folder: string, options: Partial<PackOptions> = {}): Promise<Packed> {
  return pack({ source: { folder }, app: 'shop', version: '1.0.0', ...options });
}

/** What a test knows of a tree by itself: every path with its kind, its bytes and its mode. */
export async function snapshot(root: string): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  const visit = async (folder: Buffer, name: string): Promise<void> => {
    for (const child of await readdir(folder, { encoding: 'latin1' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), Buffer.from(child, 'latin1')]);
      const stats = await lstat(path);
      const childName = name === '' ? child : `${name}/${child}`;
      if (stats.isDirectory()) {
        seen.set(childName, 'folder');
        await visit(path, childName);
      } else if (stats.isSymbolicLink()) seen.set(childName, 'link');
      else
        seen.set(
          childName,
          `${stats.mode & 0o7777} ${stats.mtimeMs} ${(await readFile(path)).toString('base64')}`,
        );
    }
  };
  await visit(Buffer.from(root), '');
  return seen;
}

export function layoutOf({ release }: Packed): Layout {
  return createLayout(release.manifest);
}

/** The code with which it was refused. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
  return 'not refused';
}

/** What a program has said in JSON; the last line may not have come whole. */
export function linesOf<T>({ stdout }: RunningProcess): T[] {
  const lines = stdout.split('\n').slice(0, -1);
  return lines.flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as T] : []));
}
