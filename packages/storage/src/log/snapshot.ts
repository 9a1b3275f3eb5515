/**
 * Writes all streams into the active segment, twice, some at a time. It may be fuzzy: what happens meanwhile stands
 * in the same segment.
 */
import { FRAME_HEADER } from '../format/frame.ts';
import {
  DROPPED_BYTES,
  putDropped,
  putSnapshotEnd,
  putStream,
  RANGES_PER_RECORD,
  SNAPSHOT_END_BYTES,
  streamBytes,
} from '../format/records.ts';
import { type Core, turn } from './core.ts';
import { segmentLimit } from './limits.ts';
import type { LogStream } from './stream.ts';
import { allot, durable, finishFrame, writeRanges, writeRecord } from './writer.ts';

const COPIES = 2;
/** What one turn writes at most (and one more stream). */
const SLICE_STREAMS = 256;
const SLICE_BYTES = 128 * 1024;

export async function writeSnapshot(core: Core): Promise<void> {
  const { active } = core;
  if (active.snapshotComplete) return;
  // What it tells of the segments before must not outlive them: a message that was moved there would be in neither
  // place. See snapshotRanges for what happens from here on.
  await durable(core, active.rolledAt);
  if (core.state !== 'open') return;
  const sliceBytes = Math.min(SLICE_BYTES, core.limits.backlogBytes / 4);
  for (let copy = 1; copy <= COPIES; copy++) {
    for (const [segment, attempt] of core.dropped) {
      writeRecord(core, DROPPED_BYTES, (bytes, at) => putDropped(bytes, at, segment, attempt));
    }
    const streams = [...core.streams.values()];
    let start = active.end;
    let count = 0;
    for (const stream of streams) {
      if (stream.removed) continue;
      writeStream(core, stream);
      if (++count < SLICE_STREAMS && active.end - start < sliceBytes) continue;
      active.snapshotBytes += active.end - start;
      await turn(core);
      if (core.state !== 'open') return;
      start = active.end;
      count = 0;
    }
    const number = copy;
    const { nextStreamId } = core;
    writeRecord(core, SNAPSHOT_END_BYTES, (bytes, at) => putSnapshotEnd(bytes, at, nextStreamId, number));
    active.snapshotBytes += active.end - start;
  }
  active.snapshotComplete = true;
  active.limit = segmentLimit(core.limits.segmentBytes, active.snapshotBytes);
  core.workers.reclaim.poke();
}

function writeStream(core: Core, stream: LogStream): void {
  const record = {
    stream: stream.id,
    nextSequence: stream.nextSequence,
    name: stream.nameBytes,
    attributes: stream.attributes,
  };
  const ranges = stream.snapshotRanges;
  const to = Math.min(ranges.length, RANGES_PER_RECORD);
  const length = streamBytes(record, ranges, to);
  const at = allot(core, FRAME_HEADER + length);
  putStream(core.chunk!.buffer, at + FRAME_HEADER, record, ranges, to);
  finishFrame(core, at, length);
  core.position++;
  if (to < ranges.length) writeRanges(core, stream.id, ranges, to);
}
