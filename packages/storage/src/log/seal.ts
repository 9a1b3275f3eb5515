/** Gives each full segment its footer, in the background and in slices. */
import { crc32 } from 'node:zlib';
import { DiskError, type DiskFile } from '../disk/disk.ts';
import { viewOf } from '../format/bytes.ts';
import {
  BLOCK_RECORDS,
  type BlockSummary,
  encodeBlock,
  encodeDirectory,
  encodeTrailer,
  type PartSummary,
} from '../format/footer.ts';
import { FRAME_HEADER, sealFrame } from '../format/frame.ts';
import { FOOTER_BEGIN } from '../format/records.ts';
import { type Core, sleep, turn } from './core.ts';
import { closeIdle, type Part, type Segment, withFile } from './segment.ts';
import { durable } from './writer.ts';

const SLICE_BYTES = 64 * 1024;
const SLICE_PARTS = 1000;

export async function sealSegments(core: Core): Promise<void> {
  for (const segment of core.segments.values()) {
    if (segment === core.active || segment.sealed || segment.removed) continue;
    // The footer stands behind the last frame: that one must be there first. It also makes `sealed` mean `synced`.
    await durable(core, core.position);
    try {
      await withFile(core, segment, (file) => writeFooter(core, segment, file));
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error;
      // It stays indexed in memory, and is scanned if the log is opened before there is room.
      await sleep(core, 1000);
      core.workers.seal.poke();
      return;
    }
    if (core.state !== 'open') return;
    await closeIdle(core);
  }
}

async function writeFooter(core: Core, segment: Segment, file: DiskFile): Promise<void> {
  let offset = segment.end;
  const write = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) {
      at += file.write(bytes, at, bytes.length - at, offset + at);
    }
    offset += bytes.length;
  };

  // Tells a scan that what follows is no torn message.
  const begin = Buffer.alloc(FRAME_HEADER + 1);
  begin[FRAME_HEADER] = FOOTER_BEGIN;
  sealFrame(viewOf(begin), 0, 1, segment.salt, offset);
  write(begin);

  const summaries: PartSummary[] = [];
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  for (const part of segment.parts) {
    const blocks: BlockSummary[] = [];
    const length = part.index!.count;
    for (let from = 0; from < length; from += BLOCK_RECORDS) {
      const to = Math.min(length, from + BLOCK_RECORDS);
      const bytes = encodeBlock(part.index!, from, to, part.overhead);
      blocks.push(summarize(part, from, to, offset + waitingBytes, bytes));
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (waitingBytes < SLICE_BYTES && waiting.length < SLICE_PARTS && to - from < BLOCK_RECORDS) continue;
      write(Buffer.concat(waiting));
      waiting = [];
      waitingBytes = 0;
      await turn(core);
      if (core.state !== 'open') return;
    }
    const { stream, kind, source, attempt } = part;
    summaries.push({ stream, kind, source, attempt, blocks });
  }
  write(Buffer.concat(waiting));
  const directory = encodeDirectory(summaries);
  write(directory);
  const trailer = { dataEnd: segment.end, directoryLength: directory.length, directoryCrc: crc32(directory) };
  write(encodeTrailer(trailer, segment.salt));
  core.counters.syncs++;
  await file.sync();
  if (core.state !== 'open') return;

  segment.footerBytes = offset - segment.end;
  segment.sealed = true;
  core.sealedBytes += offset;
  core.deadSegments ||= segment.liveCount === 0;
  for (let at = 0; at < summaries.length; at++) {
    const part = segment.parts[at]!;
    part.blocks = summaries[at]!.blocks;
    part.index = undefined;
  }
  core.onEvent({ type: 'segment-sealed', segment: segment.number, bytes: offset });
  core.workers.reclaim.poke();
}

function summarize(part: Part, from: number, to: number, offset: number, bytes: Buffer): BlockSummary {
  const index = part.index!;
  let frames = part.overhead * (to - from);
  for (let at = from; at < to; at++) frames += index.sizes[at]!;
  return {
    count: to - from,
    bytes: frames,
    first: index.sequences[from]!,
    last: index.sequences[to - 1]!,
    offset,
    length: bytes.length,
    crc: crc32(bytes),
  };
}
