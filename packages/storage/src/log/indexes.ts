/** Reading index blocks of sealed segments. */

import { crc32 } from 'node:zlib';
import type { DiskFile } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import {
  type BlockSummary,
  decodeBlock,
  decodeDirectory,
  decodeTrailer,
  type PartSummary,
  type RecordIndex,
  TRAILER,
} from '../format/footer.ts';
import { SEGMENT_HEADER } from '../format/header.ts';
import type { Core } from './core.ts';
import { reindex } from './reindex.ts';
import { type Part, withFile } from './segment.ts';

/**
 * Reads a block into the cache. One that is damaged is made anew from the messages themselves: then the part has its
 * index in memory, and there is none to return.
 */
export async function loadBlock(
  core: Core,
  part: Part,
  block: BlockSummary,
): Promise<RecordIndex | undefined> {
  const known = core.cache.get(block);
  if (known !== undefined) return known;
  // What it held was carried, and has another place now: whoever asks looks anew.
  if (part.segment.removed) return undefined;
  const bytes = Buffer.allocUnsafeSlow(block.length);
  let index: RecordIndex | undefined;
  try {
    const filled = await withFile(core, part.segment, (file) => file.read(bytes, block.offset));
    index = decodeBlock(bytes.subarray(0, filled), block, part.overhead);
  } catch (error) {
    // It went away while its file was being opened.
    if (part.segment.removed) return undefined;
    throw new LogError('read-failed', `Segment ${part.segment.number} could not be read.`, {
      cause: error,
    });
  }
  if (index !== undefined) core.cache.put(block, index);
  else await reindex(core, part.segment, block, bytes);
  return index;
}

export interface Footer {
  readonly dataEnd: number;
  readonly bytes: number;
  readonly parts: readonly PartSummary[];
}

/** `none`: the file ends in no trailer, or a torn one. `damaged`: its directory isn't what was written. */
export async function readFooter(
  file: DiskFile,
  size: number,
  salt: number,
): Promise<Footer | 'none' | { readonly damagedAt: number; readonly bytes: Buffer }> {
  if (size < SEGMENT_HEADER + TRAILER) return 'none';
  const trailerBytes = Buffer.alloc(TRAILER);
  await file.read(trailerBytes, size - TRAILER);
  const trailer = decodeTrailer(trailerBytes, salt);
  if (trailer === undefined) return 'none';
  const start = size - TRAILER - trailer.directoryLength;
  if (start < trailer.dataEnd) return 'none';
  const bytes = Buffer.allocUnsafeSlow(trailer.directoryLength);
  await file.read(bytes, start);
  if (crc32(bytes) !== trailer.directoryCrc) return { damagedAt: start, bytes };
  return { dataEnd: trailer.dataEnd, bytes: size - trailer.dataEnd, parts: decodeDirectory(bytes) };
}
