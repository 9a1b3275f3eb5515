/** Copies what lives in a segment to the active one, a slice per turn. Until it is dropped the copies don't count. */
import { LogError } from '../errors.ts';
import type { RecordIndex } from '../format/footer.ts';
import { FRAME_HEADER } from '../format/frame.ts';
import { CARRIED, CARRIED_FIELDS, putCarried } from '../format/records.ts';
import { addPart, discount, discountAllBut, enter } from './accounting.ts';
import { type Core, turn } from './core.ts';
import { loadBlock } from './indexes.ts';
import { blockFrom, lowerBound, Plan } from './plan.ts';
import { fetchPlan, makeEntry } from './reader.ts';
import type { Part, Segment } from './segment.ts';
import type { LogStream } from './stream.ts';
import type { Entry } from './types.ts';
import { allot, durable, finishFrame } from './writer.ts';

/** What one turn copies at most (and one more record); less if the backlog is small. */
const SLICE_BYTES = 256 * 1024;
const SLICE_RECORDS = 1000;
/** A segment that could not be read is left alone for so long. */
const REST_MS = 60_000;

export async function carrySegment(core: Core, segment: Segment): Promise<void> {
  // The number of the try tells its copies from those of one that a crash cut off.
  if (segment.carryAttempt === 0) segment.carryAttempt = ++segment.lastAttempt;
  const pace: Pace = { bytes: 0, records: 0 };
  const { indexings } = segment;
  try {
    for (const part of [...segment.parts]) {
      const stream = core.streams.get(part.stream);
      if (part.void || stream === undefined) continue;
      if (part.liveCount > 0) await carryPart(core, stream, part, pace);
      if (core.state !== 'open' || core.stalled || segment.indexings !== indexings) return;
      // All that was not copied was consumed, whatever a recount may still have to say.
      if (!stream.removed) discountAllBut(core, stream, part, 0, 0);
    }
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== 'read-failed') throw error;
    segment.carryNotBefore = core.clock.now() + REST_MS;
  }
}

/** Copies share the way to the disk with appends, and must not crowd them out. */
function sliceBytes(core: Core): number {
  return Math.min(SLICE_BYTES, core.limits.backlogBytes / 4);
}

/** What was copied in this turn. */
interface Pace {
  bytes: number;
  records: number;
}

async function carryPart(core: Core, stream: LogStream, part: Part, pace: Pace): Promise<void> {
  while (part.carriedThrough < part.last) {
    if (core.state !== 'open' || core.stalled || stream.removed) return;
    const from = stream.acknowledged.nextAbsent(Math.max(part.first, part.carriedThrough + 1));
    const block = part.index === undefined ? blockFrom(part, from) : undefined;
    if (from > part.last || (part.index === undefined && block === undefined)) return;
    const index = part.index ?? (await loadBlock(core, part, block!));
    // The index was damaged: the segment has other parts now, and is begun anew with them.
    if (index === undefined) return;
    const plan = planSlice(stream, part, index, from, sliceBytes(core));
    const entries = plan.count === 0 ? [] : await fetchPlan(core, plan, makeEntry);
    if (core.state !== 'open' || stream.removed) return;
    for (const entry of entries ?? []) {
      if (!stream.acknowledged.has(entry.sequence)) copy(core, stream, part, entry);
    }
    part.carriedThrough = plan.count > 0 ? plan.lastSequence : (block?.last ?? part.last);
    pace.bytes += plan.payloadBytes;
    pace.records += plan.count;
    if (pace.bytes < sliceBytes(core) && pace.records < SLICE_RECORDS) continue;
    pace.bytes = 0;
    pace.records = 0;
    await turn(core);
    // Still waiting for a sync that is under way: so does this.
    if (core.pendingBytes > core.limits.backlogBytes / 4) await durable(core, core.position);
  }
}

function planSlice(stream: LogStream, part: Part, index: RecordIndex, from: number, maxBytes: number): Plan {
  const plan = new Plan();
  for (let at = lowerBound(index, from); at < index.count; at++) {
    const sequence = index.sequences[at]!;
    if (stream.acknowledged.has(sequence)) continue;
    if (plan.payloadBytes >= maxBytes || plan.count >= SLICE_RECORDS) break;
    plan.add(part, index, at);
  }
  return plan;
}

function copy(core: Core, stream: LogStream, part: Part, entry: Entry): void {
  const { segment } = part;
  const { size } = entry;
  const at = allot(core, FRAME_HEADER + CARRIED_FIELDS + size);
  const chunk = core.chunk!;
  const body = at + FRAME_HEADER;
  putCarried(chunk.buffer, body, stream.id, entry.sequence, segment.number, segment.carryAttempt);
  chunk.buffer.set(entry.buffer.subarray(entry.start, entry.end), body + CARRIED_FIELDS);
  finishFrame(core, at, CARRIED_FIELDS + size);
  core.position++;

  part.successors ??= [];
  const heirs = part.successors;
  let heir = heirs.at(-1);
  if (heir?.segment !== core.active) {
    heir = addPart(core.active, stream, CARRIED, segment.number, segment.carryAttempt);
    heirs.push(heir);
  }
  enter(core, stream, heir, entry.sequence, chunk.offset + at - chunk.start, size);
  discount(core, stream, part, size);
  part.carriedThrough = entry.sequence;
  const bytes = FRAME_HEADER + CARRIED_FIELDS + size;
  segment.carriedBytes += bytes;
  core.counters.carriedBytes += bytes;
}
