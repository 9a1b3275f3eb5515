/** The segment files of a folder: whose they are, before anything is made of them. */
import type { Disk, DiskFile } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import { decodeHeader, SEGMENT_HEADER } from '../format/header.ts';
import { segmentNumber, segmentPath, segmentsPath } from './segment.ts';

/** A segment file as it was found. */
export interface Found {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  readonly size: number;
  readonly headerDamaged: boolean;
}

export interface FoundLog {
  /** `undefined`: there is no log yet. */
  readonly identity: Uint8Array | undefined;
  /** By number, ascending. */
  readonly files: Found[];
}

/** Opens the segment files and says whose they are. @throws LogError `log-foreign`, `log-version` */
export async function findSegments(disk: Disk, directory: string): Promise<FoundLog> {
  const numbers: number[] = [];
  for (const name of await disk.list(segmentsPath(directory))) {
    const number = segmentNumber(name);
    if (number !== undefined) numbers.push(number);
  }
  numbers.sort((left, right) => left - right);
  const files: Found[] = [];
  let identity: Uint8Array | undefined;
  try {
    for (const number of numbers) {
      const path = segmentPath(directory, number);
      const file = await disk.open(path, { create: false });
      const size = await file.size();
      const bytes = Buffer.alloc(Math.min(size, SEGMENT_HEADER));
      files.push({ number, path, file, size, headerDamaged: false });
      await file.read(bytes, 0);
      const header = decodeHeader(bytes);
      if (header === 'version') {
        throw new LogError('log-version', `${path} was written by a newer version; use that one.`);
      }
      if (header === 'damaged') {
        files[files.length - 1] = { number, path, file, size, headerDamaged: true };
        continue;
      }
      identity ??= header.identity;
      if (Buffer.compare(identity, header.identity) !== 0 || header.number !== number) {
        throw new LogError('log-foreign', `${path} belongs to another log; move it out of the folder.`);
      }
    }
    // Nothing is ever written behind a header that isn't on the device: such a file is a creation that was cut off.
    if (identity === undefined && files.some((found) => found.size > SEGMENT_HEADER)) {
      throw new LogError('log-foreign', `No segment in ${directory} has a readable header; this is no log.`);
    }
  } catch (error) {
    await closeAll(files);
    throw error;
  }
  return { identity, files };
}

export async function closeAll(files: readonly Found[]): Promise<void> {
  for (const found of files) await found.file.close();
}
