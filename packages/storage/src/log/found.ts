/** The segment files of a folder: whose they are, before anything is made of them. */
import type { Disk } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import { decodeHeader, SEGMENT_HEADER } from '../format/header.ts';
import { segmentNumber, segmentPath, segmentsPath } from './segment.ts';

/** A segment file as it was found. */
export interface Found {
  readonly number: number;
  readonly path: string;
  readonly size: number;
  readonly headerDamaged: boolean;
}

export interface FoundLog {
  /** `undefined`: there is no log yet. */
  readonly identity: Uint8Array | undefined;
  /** By number, ascending. */
  readonly files: Found[];
}

/** Looks at the segment files, one at a time, and says whose they are. @throws LogError `log-foreign`, `log-version` */
export async function findSegments(disk: Disk, directory: string): Promise<FoundLog> {
  const numbers: number[] = [];
  for (const name of await disk.list(segmentsPath(directory))) {
    const number = segmentNumber(name);
    if (number !== undefined) numbers.push(number);
  }
  numbers.sort((left, right) => left - right);
  const files: Found[] = [];
  let identity: Uint8Array | undefined;
  for (const number of numbers) {
    const path = segmentPath(directory, number);
    const { size, bytes } = await readHeader(disk, path);
    const header = decodeHeader(bytes);
    if (header === 'version') {
      throw new LogError('log-version', `${path} was written by a newer version; use that one.`);
    }
    files.push({ number, path, size, headerDamaged: header === 'damaged' });
    if (header === 'damaged') continue;
    identity ??= header.identity;
    if (Buffer.compare(identity, header.identity) !== 0 || header.number !== number) {
      throw new LogError('log-foreign', `${path} belongs to another log; move it out of the folder.`);
    }
  }
  // Nothing is ever written behind a header that isn't on the device: such a file is a creation that was cut off.
  if (identity === undefined && files.some((found) => found.size > SEGMENT_HEADER)) {
    throw new LogError('log-foreign', `No segment in ${directory} has a readable header; this is no log.`);
  }
  return { identity, files };
}

async function readHeader(disk: Disk, path: string): Promise<{ size: number; bytes: Buffer }> {
  const file = await disk.open(path, { create: false });
  try {
    const size = await file.size();
    const bytes = Buffer.alloc(Math.min(size, SEGMENT_HEADER));
    await file.read(bytes, 0);
    return { size, bytes };
  } finally {
    await file.close();
  }
}
