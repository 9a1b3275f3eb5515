/** Opens what is there: see "Recovery" in docs/internals/storage.md, whose steps these are. */
import { type Disk, DiskError, type DiskFile } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import { decodeHeader, SEGMENT_HEADER } from '../format/header.ts';
import { CARRIED, type MessageKind } from '../format/records.ts';
import type { Core } from './core.ts';
import { quarantine } from './damage.ts';
import { readFooter } from './indexes.ts';
import { forgetDropped } from './reclaim.ts';
import { countLive, cutIndexes } from './recount.ts';
import {
  completeSnapshot,
  knownStream,
  makeReplay,
  type Replay,
  replayRecord,
  type SnapshotEnd,
} from './replay.ts';
import { scanFrames } from './scan.ts';
import {
  closeFile,
  makePart,
  makeSegment,
  type Part,
  type Segment,
  segmentNumber,
  segmentPath,
  segmentsPath,
} from './segment.ts';
import { segmentBytes } from './stats.ts';
import { LogStream } from './stream.ts';

/** Rewritten in one turn. */
const REWRITE_BYTES = 1024 * 1024;

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

export interface Recovered {
  readonly segments: Segment[];
  readonly scannedBytes: number;
  readonly records: number;
}

/** Fills the core with the segments and streams that the files hold. The files come by number, ascending. */
export async function recover(core: Core, files: readonly Found[]): Promise<Recovered> {
  const replay = makeReplay();
  const segments: Segment[] = [];
  const scanned: Segment[] = [];
  let scannedBytes = 0;
  for (const found of files.toReversed()) {
    const segment = makeSegment(core.directory, core.identity, found.number, core.limits.segmentBytes);
    segment.file = found.file;
    segments.unshift(segment);
    if (found.headerDamaged) await tellHeader(core, found);
    const indexed = await takeFooter(core, segment, found, replay);
    if (indexed && replay.snapshotNext > 0) continue;
    scannedBytes += await scanSegment(core, segment, found, replay, !indexed);
    if (!indexed) scanned.push(segment);
  }
  // Nothing is handed out, and nothing removed, that a second crash could take back.
  for (const segment of scanned) {
    await rewrite(segment.file!, 0, segment.end);
    await segment.file!.sync();
  }
  // Of the sealed ones only the last was sealed when the process ended; its footer may be in the page cache alone.
  const sealed = segments.findLast((segment) => segment.sealed);
  if (sealed !== undefined) {
    await rewrite(sealed.file!, sealed.end, segmentBytes(sealed));
    await sealed.file!.sync();
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

async function tellHeader(core: Core, found: Found): Promise<void> {
  const bytes = Buffer.alloc(Math.min(found.size, SEGMENT_HEADER));
  await found.file.read(bytes, 0);
  await quarantine(core, found.number, 0, bytes);
}

/** Parts from the footer; false if there is no good one. */
async function takeFooter(core: Core, segment: Segment, found: Found, replay: Replay): Promise<boolean> {
  const footer = await readFooter(found.file, found.size, segment.salt);
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
  replay: Replay,
  index: boolean,
): Promise<number> {
  const ends: SnapshotEnd[] = [];
  const wanted = { index, control: replay.snapshotNext === 0 };
  const size = index ? found.size : segment.end;
  const result = await scanFrames(found.file, size, segment.salt, (bytes, start, end, offset) =>
    replayRecord(replay, segment, ends, wanted, bytes, start, end, offset),
  );
  for (const place of result.damaged) {
    const bytes = Buffer.allocUnsafeSlow(place.bytes);
    await found.file.read(bytes, place.offset);
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
    await found.file.truncate(result.end);
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

/** Streams from what the records said. */
function bringBack(core: Core, replay: Replay): void {
  const decoder = new TextDecoder();
  let highest = Math.max(0, replay.snapshotNext - 1);
  for (const known of [...replay.streams.values()].sort((left, right) => left.id - right.id)) {
    highest = Math.max(highest, known.id);
    if (replay.removed.has(known.id)) continue;
    if (known.record === undefined && known.id < replay.snapshotNext) continue;
    const { record, acknowledged } = known;
    // A stream whose birth was lost keeps what it holds, under a name that says so.
    let name = record === undefined ? `recovered-${known.id}` : decoder.decode(record.name);
    while (core.byName.has(name)) name = `${name}-${known.id}`;
    const nameBytes = record?.name ?? Buffer.from(name);
    const stream = new LogStream(core, known.id, name, nameBytes, record?.attributes ?? new Uint8Array(0));
    stream.nextSequence = Math.max(known.nextSequence, acknowledged.highest + 1);
    for (let at = 0; at < acknowledged.length; at++) {
      stream.acknowledged.addRange(acknowledged.first(at), acknowledged.last(at));
    }
    core.streams.set(known.id, stream);
    core.byName.set(name, stream);
    if (record === undefined) core.orphans.push(stream);
  }
  for (const id of replay.removed) highest = Math.max(highest, id);
  core.nextStreamId = highest + 1;
}

/** Joins parts to their streams and counts what lives. */
async function countAll(core: Core): Promise<void> {
  const attempts = new Map<number, number>();
  for (const segment of core.segments.values()) {
    for (const { kind, source, attempt } of segment.parts) {
      if (kind === CARRIED) attempts.set(source, Math.max(attempt, attempts.get(source) ?? 0));
    }
  }
  for (const [source, attempt] of attempts) {
    const segment = core.segments.get(source);
    if (segment !== undefined) segment.lastAttempt = attempt;
  }
  for (const segment of core.segments.values()) {
    for (const part of segment.parts) {
      part.void = !core.streams.has(part.stream) || !counts(core, part, attempts);
    }
    for (const part of [...segment.parts]) {
      // One whose index turned out damaged was replaced, and its replacement counted.
      if (!part.void && part.replacedBy === undefined) await countPart(core, part);
    }
  }
}

/** A copy counts only when its original was dropped, and only that of the attempt that was finished. */
function counts(core: Core, part: Part, attempts: ReadonlyMap<number, number>): boolean {
  if (part.kind !== CARRIED) return true;
  if (core.segments.has(part.source)) return false;
  // No longer told of: then there are copies of one attempt only.
  return (core.dropped.get(part.source) ?? attempts.get(part.source)) === part.attempt;
}

async function countPart(core: Core, part: Part): Promise<void> {
  const stream = core.streams.get(part.stream)!;
  const { indexings } = part.segment;
  const indexes = await cutIndexes(core, part, stream.acknowledged);
  if (part.segment.indexings !== indexings) return;
  const live = countLive(part, stream.acknowledged, indexes) ?? { count: 0, bytes: 0 };
  const { segment } = part;
  part.liveCount = live.count;
  part.liveBytes = live.bytes;
  segment.liveCount += live.count;
  segment.liveBytes += live.bytes;
  core.liveBytes += live.bytes;
  stream.liveCount += live.count;
  stream.livePayloadBytes += live.bytes - live.count * part.overhead;
  // A dead part has nothing to read; the segment keeps it for its footer.
  if (live.count > 0 || part.index !== undefined) stream.parts.push(part);
}

/** The newest streams' parts in the segment that goes on are appended to. */
export function resumeParts(core: Core): void {
  for (const part of core.active.parts) {
    if (!part.void) core.streams.get(part.stream)?.resumePart(part);
  }
}
