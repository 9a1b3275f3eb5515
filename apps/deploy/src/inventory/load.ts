import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ServiceError } from '@rookery/service';
import type { Host } from './host.ts';
import { readInventory } from './inventory.ts';

export interface InventorySource {
  /** A TOML file. */
  readonly file?: string;
  /** A command for `sh -c` that writes the hosts. */
  readonly command?: string;
}

/** Ten thousand hosts with all their keys. */
const BYTES_MAX = 16 * 2 ** 20;
const COMMAND_WITHIN_MS = 60_000;

/** @throws ServiceError: the file or the command's answer can't be read, or is wrong */
export async function loadInventory({ file, command }: InventorySource): Promise<Host[]> {
  if (file === undefined && command === undefined) {
    throw new ServiceError('USAGE', 'Which hosts? Give --hosts FILE or --hosts-command CMD');
  }
  return readInventory({
    ...(file === undefined ? {} : { file: { path: file, text: await readBounded(file) } }),
    ...(command === undefined ? {} : { listed: { command, text: await ask(command) } }),
  });
}

async function readBounded(path: string): Promise<string> {
  try {
    if ((await stat(path)).size <= BYTES_MAX) return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ServiceError('USAGE', `${path}: ${(cause as Error).message}`, { cause });
  }
  throw new ServiceError('USAGE', `${path}: larger than ${BYTES_MAX} bytes`);
}

async function ask(command: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('sh', ['-c', command], {
      maxBuffer: BYTES_MAX,
      timeout: COMMAND_WITHIN_MS,
    });
    // A lookup that finds nothing must not look like a deployment that is done.
    if (stdout.trim() !== '') return stdout;
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string };
    const why = stderr.trim().split('\n').at(-1) || message.split('\n')[0];
    throw new ServiceError('USAGE', `${command}: ${why}`, { cause });
  }
  throw new ServiceError('USAGE', `${command}: it named no host`);
}
