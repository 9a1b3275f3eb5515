import { approximateBytes } from '@rookery/service';
import type { Release } from '../release/container.ts';
import { verify } from '../verify.ts';
import { releaseFields } from './describe.ts';
import { readPublicKeys, readReleaseFile } from './files.ts';
import { jsonPath, type Reporter } from './report.ts';

export interface VerifyCommand {
  readonly trust: readonly string[];
  readonly exactModes: boolean;
}

/**
 * Resolves to whether the folder is just what the release says.
 * @throws ReleaseError
 */
export async function verifyCommand(
  path: string,
  folder: string,
  { trust, exactModes }: VerifyCommand,
  reporter: Reporter,
): Promise<boolean> {
  const bytes = await readReleaseFile(path);
  let total = 0;
  let done = 0;
  const { release, differences } = await verify({
    release: bytes,
    folder,
    trust: await readPublicKeys(trust),
    exactModes,
    onRelease: (read) => {
      total = treeBytes(read);
    },
    onBytes: (count) => {
      done += count;
      reporter.progress('verifying', done, total);
    },
  });
  reporter.endProgress();
  for (const { kind, path: where, detail } of differences) {
    reporter.event('difference', { kind, ...jsonPath(where), detail });
    reporter.say(`${kind}: ${detail}\n`);
  }
  const { app, version } = release.manifest;
  const same = differences.length === 0;
  reporter.event('verified', {
    same,
    differences: differences.length,
    ...releaseFields(release, bytes.length),
  });
  reporter.say(
    same
      ? `${folder} is ${app} ${version}, all ${approximateBytes(total)} of it.\n`
      : `${folder} is not ${app} ${version}: ${differences.length} differences.\n`,
  );
  return same;
}

function treeBytes({ manifest }: Release): number {
  let bytes = 0;
  for (const entry of manifest.entries) if (entry.kind === 'file') bytes += entry.size;
  return bytes;
}
