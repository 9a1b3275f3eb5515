import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The oldest Node that is promised. */
const OLDEST_NODE = '24.21.0';

/** What users get: a workspace's tarball, installed in an empty folder, with the oldest Node that is promised. */
export interface PackedApp {
  readonly folder: TemporaryFolder;
  /** Where it is installed. */
  readonly app: string;
  /** An executable of what is installed there. */
  readonly bin: (name: string) => string;
  /** npm of the machine, without what this repository and its scripts set. Resolves to what it printed. */
  readonly npm: (cwd: string, ...args: string[]) => Promise<string>;
  /** Packs another workspace; resolves to the tarball. */
  readonly pack: (workspace: string) => Promise<string>;
}

/** Packs a built workspace, such as `apps/queue`, and installs it with `packages` beside it. */
export async function installPacked(workspace: string, packages: readonly string[] = []): Promise<PackedApp> {
  const folder = await temporaryFolder('rookery-package-');
  const app = join(folder.path, 'app');
  const pack = async (packed: string): Promise<string> => {
    const printed = await npm(
      join(root, packed),
      ...['pack', '--ignore-scripts', '--pack-destination', folder.path],
    );
    return join(folder.path, printed.trim().split('\n').at(-1)!);
  };
  await mkdir(app);
  await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  const node = `node-${process.platform}-${process.arch}@${OLDEST_NODE}`;
  await npm(app, 'install', await pack(workspace), node, ...packages);
  return { folder, app, bin: (name) => join(app, 'node_modules/.bin', name), npm, pack };
}

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const { stdout } = await run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, env });
  return stdout;
}
