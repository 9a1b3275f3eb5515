import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'tsdown';
import config, { hostConfig } from '../../tsdown.config.ts';

/** Builds what ssh hosts are sent, of the sources as they are; resolves to its path. */
export async function buildHostBundle(folder: string): Promise<string> {
  await buildInto(folder, hostConfig);
  return join(folder, 'host.js');
}

/** Builds all of the program; resolves to what Node is to run. */
export async function buildProgram(folder: string): Promise<string> {
  for (const one of config) await buildInto(folder, { ...one, dts: false });
  const path = join(folder, 'run.js');
  await writeFile(path, "import { main } from './cli.js';\nawait main(process.argv);\n");
  return path;
}

async function buildInto(folder: string, one: typeof hostConfig): Promise<void> {
  await build({
    ...one,
    cwd: join(import.meta.dirname, '../..'),
    config: false,
    outDir: folder,
    clean: false,
    logLevel: 'silent',
    sourcemap: false,
  });
}
