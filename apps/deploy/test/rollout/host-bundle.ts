import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'tsdown';
import { hostConfig } from '../../tsdown.config.ts';

/** Builds what ssh hosts are sent, of the sources as they are; resolves to its path. */
export async function buildHostBundle(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await build({
    ...hostConfig,
    cwd: join(import.meta.dirname, '../..'),
    config: false,
    outDir: folder,
    logLevel: 'silent',
    sourcemap: false,
  });
  return join(folder, 'host.js');
}
