/** Opens what is there: see "Recovery" in docs/internals/storage.md, whose steps these are. */
import { DiskError, type DiskFile } from '../disk/disk.ts';
import { SEGMENT_HEADER } from '../format/header.ts';
import type { MessageKind } from '../format/records.ts';
import type { Core } from './core.ts';
import { quarantine } from './damage.ts';
import type { Found } from './found.ts';
import { readFooter } from './indexes.ts';
import { forgetDropped } from './reclaim.ts';
import {
  completeSnapshot,
  knownStream,
  makeReplay,
  type Replay,
  replayRecord,
  type SnapshotEnd,
} from './replay.ts';
import { bringBack, countAll } from './revive.ts';
import { scanFrames } from './scan.ts';
import { closeFile, makePart, makeSegment, type Segment, segmentsPath, withFile } from './segment.ts';
import { segmentBytes } from './stats.ts';

/** Rewritten in one turn. */
const REWRITE_BYTES = 1024 * 1024;

export interface Recovered {
  readonly segments: Segment[];
  readonly scannedBytes: number;
  readonly records: number;
}

/** Fills the core with the segments and streams that the files hold. The files come by number, ascending. */
export async function recover(core: Core, files: readonly Found[]): Promise<Recovered> {
  const segments: Segment[] = [];
  try {
    return await recoverSegments(core, files, segments);
  } catch (error) {
    for (const segment of segments) await closeFile(segment);
    throw error;
  }
}

async function recoverSegments(core: Core, files: readonly Found[], segments: Segment[]): Promise<Recovered> {
  const replay = makeReplay();
  const scanned: Segment[] = [];
  let scannedBytes = 0;
  for (const found of files.toReversed()) {
    const segment = makeSegment(core.directory, core.identity, found.number, core.limits.segmentBytes);
    const file = await core.disk.open(found.path, { create: false });
    segment.file = file;
    segments.unshift(segment);
    if (found.headerDamaged) await tellHeader(core, found, file);
    const indexed = await takeFooter(core, segment, found, file, replay);
    if (!indexed || replay.snapshotNext === 0) {
      scannedBytes += await scanSegment(core, segment, found, file, replay, !indexed);
    }
    if (!indexed) scanned.push(segment);
    // Of sealed ones there may be more than files may be open.
    else await closeFile(segment);
  }
  // Nothing is handed out, and nothing removed, that a second crash could take back.
  for (const segment of scanned) {
    await rewrite(segment.file!, 0, segment.end);
    await segment.file!.sync();
  }
  // Of the sealed ones only the last was sealed when the process ended; its footer may be in the page cache alone.
  const sealed = segments.findLast((segment) => segment.sealed);
  if (sealed !== undefined) {
    await withFile(core, sealed, async (file) => {
      await rewrite(file, sealed.end, segmentBytes(sealed));
      await file.sync();
    });
  }
  await core.disk.syncDirectory(segmentsPath(core.directory));

  const kept = segments.filter((segment) => !replay.dropped.has(segment.number));
  for (const segment of kept) {
    core.segments.set(segment.number, segment);
    if (segment.sealed) core.sealedBytes += segmentBytes(segment);
  }
  for (const segment of segments) {
    if (!replay.dropped.has(segment.number)) continue;
    await closeFile(segment);
    await core.disk.remove(segment.path);
  }
  if (kept.length < segments.length) await core.disk.syncDirectory(segmentsPath(core.directory));
  for (const [number, attempt] of replay.dropped) core.dropped.set(number, attempt);
  bringBack(core, replay);
  await countAll(core);
  forgetDropped(core);
  return { segments: kept, scannedBytes, records: replay.records };
}

async function tellHeader(core: Core, found: Found, file: DiskFile): Promise<void> {
  const bytes = Buffer.alloc(Math.min(found.size, SEGMENT_HEADER));
  await file.read(bytes, 0);
  await quarantine(core, found.number, 0, bytes);
}

/** Parts from the footer; false if there is no good one. */
async function takeFooter(
  core: Core,
  segment: Segment,
  found: Found,
  file: DiskFile,
  replay: Replay,
): Promise<boolean> {
  const footer = await readFooter(file, found.size, segment.salt);
  if (footer === 'none') return false;
  if ('damagedAt' in footer) {
    await quarantine(core, segment.number, footer.damagedAt, footer.bytes);
    return false;
  }
  segment.sealed = true;
  segment.end = footer.dataEnd;
  segment.written = footer.dataEnd;
  segment.footerBytes = footer.bytes;
  for (const summary of footer.parts) {
    const { stream, source, attempt, blocks } = summary;
    if (blocks.length === 0) continue;
    const part = makePart(segment, stream, summary.kind as MessageKind, source, attempt);
    part.index = undefined;
    part.blocks = blocks;
    part.first = blocks[0]!.first;
    part.last = blocks[blocks.length - 1]!.last;
    for (const block of blocks) part.count += block.count;
    segment.parts.push(part);
    const known = knownStream(replay, stream);
    if (part.last >= known.nextSequence) known.nextSequence = part.last + 1;
  }
  return true;
}

/** Returns how much there was to scan. */
async function scanSegment(
  core: Core,
  segment: Segment,
  found: Found,
  file: DiskFile,
  replay: Replay,
  index: boolean,
): Promise<number> {
  const ends: SnapshotEnd[] = [];
  const wanted = { index, control: replay.snapshotNext === 0 };
  const size = index ? found.size : segment.end;
  const result = await scanFrames(file, size, segment.salt, (bytes, start, end, offset) =>
    replayRecord(replay, segment, ends, wanted, bytes, start, end, offset),
  );
  for (const place of result.damaged) {
    const bytes = Buffer.allocUnsafeSlow(place.bytes);
    await file.read(bytes, place.offset);
    await quarantine(core, segment.number, place.offset, bytes);
  }
  const snapshot = completeSnapshot(ends, result.damaged);
  if (snapshot !== undefined) {
    segment.snapshotBytes = ends.at(-1)!.offset - SEGMENT_HEADER;
    segment.snapshotComplete = true;
    if (replay.snapshotNext === 0) replay.snapshotNext = snapshot.nextStreamId;
  }
  if (!index) return size;
  segment.end = result.end;
  segment.written = result.end;
  segment.footerBegun = result.footerBegun;
  if (found.size > result.end) {
    await file.truncate(result.end);
    const bytes = found.size - result.end;
    if (!result.footerBegun) {
      core.onEvent({ type: 'torn-tail', segment: segment.number, offset: result.end, bytes });
    }
  }
  return size;
}

/**
 * Writes the bytes where they are. If a sync failed before the last process ended, the operating system may hold
 * pages that it takes for synced and that the device never got: a sync alone would not bring them there.
 */
async function rewrite(file: DiskFile, start: number, end: number): Promise<void> {
  const window = Buffer.allocUnsafeSlow(Math.min(end - start, REWRITE_BYTES));
  for (let offset = start; offset < end; ) {
    const filled = await file.read(window.subarray(0, Math.min(window.length, end - offset)), offset);
    if (filled === 0) return;
    try {
      for (let at = 0; at < filled; ) at += file.write(window, at, filled - at, offset + at);
    } catch (error) {
      // Some file systems need room to write over what is there: then it stays as it is.
      if (error instanceof DiskError && error.code === 'ENOSPC') return;
      throw error;
    }
    offset += filled;
  }
}
