/** Write buffers and group commit: everything on its way to the disk goes through here. */
import { DiskError } from '../disk/disk.ts';
import { LogError } from '../errors.ts';
import { viewOf } from '../format/bytes.ts';
import { FRAME_HEADER, sealFrame } from '../format/frame.ts';
import { acknowledgedBytes, putAcknowledged, RANGES_PER_RECORD } from '../format/records.ts';
import { type Chunk, type Core, fail, refusal, rejectWaiters, track, updateRefusals } from './core.ts';
import { MAX_OFFSET } from './limits.ts';
import type { RangeSet } from './ranges.ts';
import { reclaimDue } from './reclaim-due.ts';
import type { Segment } from './segment.ts';

/**
 * Makes room for a frame of so many bytes behind all others and returns where it starts in `core.chunk.buffer`.
 * The caller fills all of it before anything else happens, and counts `core.position` up.
 */
// hot: a few comparisons and additions.
export function allot(core: Core, bytes: number): number {
  if (core.active.end + bytes > core.active.limit) roll(core, bytes);
  const { active } = core;
  let chunk = core.chunk;
  if (chunk === undefined || chunk.segment !== active || chunk.end + bytes > chunk.buffer.length) {
    chunk = nextChunk(core, bytes);
  }
  const at = chunk.end;
  chunk.end = at + bytes;
  active.end += bytes;
  core.pendingBytes += bytes;
  if (!core.scheduled) schedule(core);
  return at;
}

function nextChunk(core: Core, bytes: number): Chunk {
  const { active, chunk: previous } = core;
  // A new segment begins in the same buffer, if there is room: entries refer to buffers, so none is wasted.
  const shared =
    previous !== undefined && previous.end + bytes <= previous.buffer.length ? previous : undefined;
  const start = shared?.end ?? 0;
  const buffer = shared?.buffer ?? Buffer.allocUnsafeSlow(Math.max(bytes, core.limits.bufferBytes));
  const chunk: Chunk = {
    segment: active,
    offset: active.end,
    buffer,
    view: shared?.view ?? viewOf(buffer),
    begin: start,
    start,
    end: start,
  };
  core.chunks.push(chunk);
  core.chunk = chunk;
  return chunk;
}

/** Completes the frame that `allot` gave room for. */
export function finishFrame(core: Core, at: number, bodyLength: number): void {
  const chunk = core.chunk!;
  sealFrame(chunk.view, at, bodyLength, chunk.segment.salt, chunk.offset + at - chunk.start);
}

/** A whole record that isn't a message: `put` writes its body. */
export function writeRecord(
  core: Core,
  bodyLength: number,
  put: (bytes: Uint8Array, at: number) => void,
): void {
  const at = allot(core, FRAME_HEADER + bodyLength);
  put(core.chunk!.buffer, at + FRAME_HEADER);
  finishFrame(core, at, bodyLength);
  core.position++;
}

/** Goes over to the spare segment, if all is ready for it; otherwise the active one grows past its size. */
function roll(core: Core, bytes: number): void {
  const { active, spare } = core;
  // Without a complete snapshot the segment before it would be needed for ever.
  if (spare === undefined || !active.snapshotComplete || core.full) {
    if (active.end + bytes > MAX_OFFSET) {
      throw new LogError('log-busy', 'No new segment could be made for gigabytes; try again later.');
    }
    return;
  }
  core.spare = undefined;
  core.active = spare;
  core.segments.set(spare.number, spare);
  spare.rolledAt = core.position;
  core.workers.snapshot.poke();
  core.workers.spare.poke();
  core.workers.seal.poke();
}

export function schedule(core: Core): void {
  if (core.scheduled || core.state === 'failed' || core.state === 'closed') return;
  core.scheduled = true;
  core.clock.defer(() => {
    core.scheduled = false;
    flush(core);
  });
}

/** Ends a batch: writes it, and sees to its commit. */
export function flush(core: Core): void {
  if (core.state === 'failed' || core.state === 'closed' || core.stalled) return;
  const always = core.sync === 'always';
  // What comes during a sync is the next batch: its end flushes.
  if (always && core.syncing) return;
  if (always && gathers(core)) {
    schedule(core);
    return;
  }
  writeAcknowledgements(core);
  if (!writeChunks(core)) return;
  core.writtenPosition = core.position;
  if (always) {
    if (core.writtenPosition > core.syncedPosition) beginSync(core);
  } else {
    commit(core, core.writtenPosition);
    if (core.waiters.length > 0) beginSync(core);
    else armSyncTimer(core);
  }
}

/** Turns of one gathering, and those in a row that may bring nothing. */
const GATHERING_TURNS = 64;
const QUIET_TURNS = 2;

/**
 * Whether the next sync waits for one more turn. Who was answered by the last one mostly asks for the next thing at
 * once; a sync that begins without them makes everybody wait for two, and one for all takes no longer than one for half.
 */
function gathers(core: Core): boolean {
  const { gathering, position } = core;
  if (gathering === undefined) return false;
  gathering.quietTurns = position > gathering.seen ? QUIET_TURNS : gathering.quietTurns - 1;
  gathering.seen = position;
  gathering.turns--;
  const ends = position >= gathering.target || gathering.quietTurns < 0 || gathering.turns <= 0;
  if (ends || core.state !== 'open') core.gathering = undefined;
  return core.gathering !== undefined;
}

/** They follow the appends of their batch: what was appended and consumed in one turn is told in this order. */
function writeAcknowledgements(core: Core): void {
  if (core.marked.length === 0) return;
  const { marked } = core;
  core.marked = [];
  for (const stream of marked) {
    stream.marked = false;
    if (!stream.removed) writeRanges(core, stream.id, stream.untold, 0);
    stream.untold.clear();
  }
}

/** ACKNOWLEDGED records for the ranges of the set, from the given one on. */
export function writeRanges(core: Core, stream: number, ranges: RangeSet, start: number): void {
  for (let from = start; from < ranges.length; from += RANGES_PER_RECORD) {
    const to = Math.min(ranges.length, from + RANGES_PER_RECORD);
    const length = acknowledgedBytes(ranges, from, to);
    const at = allot(core, FRAME_HEADER + length);
    putAcknowledged(core.chunk!.buffer, at + FRAME_HEADER, stream, ranges, from, to);
    finishFrame(core, at, length);
  }
}

/** False if it could not all be written. */
function writeChunks(core: Core): boolean {
  const { chunks } = core;
  let done = 0;
  try {
    for (; done < chunks.length; done++) writeChunk(core, chunks[done]!);
  } catch (error) {
    core.chunks = chunks.slice(done);
    if (error instanceof DiskError && error.code === 'ENOSPC') stall(core);
    else fail(core, error as Error);
    return false;
  }
  const last = core.chunk;
  core.chunks = [];
  core.chunk = undefined;
  if (last !== undefined && last.buffer.length - last.end > 256) {
    // The buffer goes on being filled behind what was written; nothing in it is ever written over.
    core.chunk = {
      segment: last.segment,
      offset: last.offset,
      buffer: last.buffer,
      view: last.view,
      begin: last.end,
      start: last.end,
      end: last.end,
    };
    core.chunks.push(core.chunk);
  }
  return true;
}

/** Leaves in the chunk what is still to be written, so that a second try writes nothing twice. */
function writeChunk(core: Core, chunk: Chunk): void {
  const { segment } = chunk;
  while (chunk.start < chunk.end) {
    const written = segment.file!.write(chunk.buffer, chunk.start, chunk.end - chunk.start, chunk.offset);
    chunk.start += written;
    chunk.offset += written;
    segment.written = chunk.offset;
    core.pendingBytes -= written;
    core.counters.writes++;
    core.counters.writtenBytes += written;
    if (!segment.dirty) {
      segment.dirty = true;
      core.dirty.push(segment);
    }
    if (written === 0) throw new DiskError('EIO', `${segment.path} takes no bytes.`);
  }
}

/** The disk is full: the batch waits where it stopped; the space worker gives up the reserve and goes on. */
function stall(core: Core): void {
  core.stalled = true;
  if (core.state === 'closing') {
    rejectWaiters(core, 'log-full');
    return;
  }
  // Without a reserve to give up, not even an acknowledgement fits.
  if (core.reserveBytes === 0) core.exhausted = true;
  becomeFull(core);
  core.workers.space.poke();
}

export function becomeFull(core: Core): void {
  const told = core.full;
  core.full = true;
  updateRefusals(core);
  if (!told) core.onEvent({ type: 'full' });
}

function armSyncTimer(core: Core): void {
  if (typeof core.sync !== 'object' || core.syncTimer !== undefined || core.syncing) return;
  if (core.writtenPosition === core.syncedPosition) return;
  // Armed by the first write that isn't synced, not by the last: a steady stream of writes can't put it off.
  core.syncTimer = core.clock.setTimeout(() => {
    core.syncTimer = undefined;
    beginSync(core);
  }, core.sync.everyMs);
}

function beginSync(core: Core): void {
  if (core.syncing || core.state === 'failed' || core.state === 'closed') return;
  core.syncing = true;
  const position = core.writtenPosition;
  const { dirty } = core;
  core.dirty = [];
  for (const segment of dirty) segment.dirty = false;
  // Settled, not all: the close must not pull a file from under the slower of two.
  const settled = Promise.allSettled(dirty.map((segment) => syncSegment(core, segment)));
  track(
    core,
    settled.then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      core.syncing = false;
      if (failed === undefined) synced(core, position);
      else fail(core, failed.reason as Error);
    }),
  );
}

function syncSegment(core: Core, segment: Segment): Promise<void> {
  // A removed one has nothing that anybody waits for.
  if (segment.removed || segment.file === undefined) return Promise.resolve();
  core.counters.syncs++;
  return segment.file.sync();
}

function synced(core: Core, position: number): void {
  if (core.state === 'failed' || core.state === 'closed') return;
  core.syncedPosition = position;
  let ready = 0;
  while (ready < core.waiters.length && core.waiters[ready]!.position <= position) ready++;
  for (const waiter of core.waiters.splice(0, ready)) waiter.resolve();
  if (core.sync === 'always') {
    core.gathering = {
      target: core.position + position - core.committedPosition,
      seen: core.position,
      turns: GATHERING_TURNS,
      quietTurns: QUIET_TURNS,
    };
    commit(core, position);
  }
  if (
    core.sync === 'always'
      ? core.pendingBytes > 0 || core.marked.length > 0 || core.waiters.length > 0
      : core.waiters.length > 0
  ) {
    schedule(core);
  }
  armSyncTimer(core);
}

function commit(core: Core, position: number): void {
  if (position === core.committedPosition) return;
  core.committedPosition = position;
  try {
    core.onCommit(position);
  } catch (error) {
    // A reply that the owner could not send is not ours to lose silently.
    fail(core, error as Error);
  }
  if (reclaimDue(core)) core.workers.reclaim.poke();
}

/** Resolves when all up to the position is on the device, whatever the mode. */
export function durable(core: Core, position: number): Promise<void> {
  if (core.state === 'failed' || core.state === 'closed') return Promise.reject(refusal(core));
  if (core.syncedPosition >= position) return Promise.resolve();
  if (core.stalled && core.state === 'closing') return Promise.reject(refusal(core));
  return new Promise((resolve, reject) => {
    core.waiters.push({ position, resolve, reject });
    schedule(core);
  });
}
