/** One recorder for each group and folder: two would cut and write each other's files. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskError, nodeDisk } from '@rookery/storage';
import { RecordError } from './errors.ts';
import { fileName } from './name.ts';

export interface RecordLock {
  release(): Promise<void>;
}

/** Held until it is released or the process ends, however it does. @throws RecordError `ALREADY_RECORDED` */
export async function lockRecording(group: string, directory: string): Promise<RecordLock> {
  await mkdir(directory, { recursive: true });
  try {
    return await nodeDisk.lock(join(directory, `${fileName('%g', group, new Date(0))}.lock`));
  } catch (error) {
    if (!(error instanceof DiskError && error.code === 'ELOCKED')) throw error;
    throw new RecordError(
      'ALREADY_RECORDED',
      `another process records ${group} in ${directory}: stop it, or give this one another folder`,
      { cause: error },
    );
  }
}
