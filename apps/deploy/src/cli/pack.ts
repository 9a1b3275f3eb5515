import { stat } from 'node:fs/promises';
import { approximateBytes } from '@rookery/service';
import { pack } from '../pack.ts';
import { describeRelease, releaseFields } from './describe.ts';
import { checkWritable, readSigningKey, writeWhole } from './files.ts';
import type { Reporter } from './report.ts';

export interface PackCommand {
  readonly app: string;
  readonly version: string;
  readonly output: string;
  readonly key?: string;
  readonly commit?: string;
  readonly timeSeconds?: number;
}

/** @throws ReleaseError */
export async function packCommand(source: string, command: PackCommand, reporter: Reporter): Promise<void> {
  const { app, version, output, key, commit, timeSeconds } = command;
  await checkWritable(output);
  const { bytes, release } = await pack({
    source: (await isFolder(source)) ? { folder: source } : { repository: '.', ref: source },
    app,
    version,
    ...(key === undefined ? {} : { key: await readSigningKey(key) }),
    ...(commit === undefined ? {} : { commit }),
    ...(timeSeconds === undefined ? {} : { timeSeconds }),
    leaveOut: [output],
    secrets: key === undefined ? [] : [key],
    onProgress: (done, total) => reporter.progress('packing', done, total),
  });
  await writeWhole(output, bytes);
  reporter.endProgress();
  reporter.event('packed', { file: output, ...releaseFields(release, bytes.length) });
  reporter.say(
    `${describeRelease(release, bytes.length)}${output} written, ${approximateBytes(bytes.length)}\n`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() === true;
}
