import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HostError } from '../../host/errors.ts';

/** The host's side as one file that needs Node and nothing else. */
export interface HostBundle {
  /** In hex: its name on a host. */
  readonly sha256: string;
  /** By gzip, as it is sent. */
  readonly packed: Buffer;
}

/** Beside this file when it is built; sources use what the last build has made. */
const HOST_BUNDLE: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/host.js' : './host.js', import.meta.url),
);

/** @throws HostError `unexpected`: it was not built */
export async function readBundle(path: string = HOST_BUNDLE): Promise<HostBundle> {
  try {
    const bytes = await readFile(path);
    return {
      sha256: createHash('sha256').update(bytes).digest('hex'),
      packed: await promisify(gzip)(bytes),
    };
  } catch (error) {
    throw new HostError(
      'unexpected',
      `What ssh hosts are sent is not there; build it with npm run build: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
