/** Reading entries: plan, read what lies close together in one go, check each record, hand out. */
import { LogError } from '../errors.ts';
import { viewOf } from '../format/bytes.ts';
import type { BlockSummary, RecordIndex } from '../format/footer.ts';
import { bodyIntact, FRAME_HEADER, frameLength } from '../format/frame.ts';
import { message } from '../format/records.ts';
import { type Core, refusal } from './core.ts';
import { setAside } from './damage.ts';
import { loadBlock } from './indexes.ts';
import { type Plan, planRead } from './plan.ts';
import { type Part, withFile } from './segment.ts';
import type { LogStream } from './stream.ts';
import type { Entry } from './types.ts';

/** One trip to the disk reads so much at most, unless one record is larger. */
const SPAN_BYTES: number = 256 * 1024;
/** Bytes between two messages that are cheaper to read than to skip. */
const GAP_BYTES = 16 * 1024;
/** Trips of one read under way at a time. */
const SPANS = 8;

export async function readEntries(
  core: Core,
  stream: LogStream,
  afterSequence: number,
  maxEntries: number,
  maxBytes: number,
): Promise<Entry[]> {
  // However small the cache is: what this read has loaded it keeps until it has made its plan.
  const pinned = new Map<BlockSummary, RecordIndex>();
  const lookup = { get: (block: BlockSummary) => pinned.get(block) ?? core.cache.get(block) };
  for (;;) {
    if (core.state !== 'open') throw refusal(core);
    if (stream.removed) throw new LogError('stream-removed', `The stream ${stream.name} was removed.`);
    const plan = planRead(stream.parts, stream.acknowledged, lookup, afterSequence, maxEntries, maxBytes);
    if ('block' in plan) {
      const index = await loadBlock(core, plan.part, plan.block);
      if (index !== undefined) pinned.set(plan.block, index);
      continue;
    }
    pinned.clear();
    if (plan.sequences.length === 0) return [];
    const entries = await fetchPlan(core, plan);
    // A segment went away while others were read: what it held was carried, and has another place now.
    if (entries === undefined) continue;
    // While the disk worked some may have been consumed, or found damaged and set aside.
    const live = isUntouched(stream, plan)
      ? entries
      : entries.filter((entry) => !stream.acknowledged.has(entry.sequence));
    if (live.length > 0 || stream.removed) return live;
  }
}

function isUntouched({ acknowledged }: LogStream, { sequences }: Plan): boolean {
  return !acknowledged.overlaps(sequences[0]!, sequences[sequences.length - 1]!);
}

/** Whether a record of the sequence is, or was, in the log: by the indexes alone, its bytes are not looked at. */
export async function hasEntry(core: Core, stream: LogStream, sequence: number): Promise<boolean> {
  const pinned = new Map<BlockSummary, RecordIndex>();
  const lookup = { get: (block: BlockSummary) => pinned.get(block) ?? core.cache.get(block) };
  for (;;) {
    if (core.state !== 'open') throw refusal(core);
    if (stream.acknowledged.has(sequence)) return true;
    const plan = planRead(
      stream.parts,
      stream.acknowledged,
      lookup,
      sequence - 1,
      1,
      Number.POSITIVE_INFINITY,
    );
    if (!('block' in plan)) return plan.sequences[0] === sequence;
    const index = await loadBlock(core, plan.part, plan.block);
    if (index !== undefined) pinned.set(plan.block, index);
  }
}

/**
 * The entries of a plan; damaged ones are set aside and left out. `undefined` if a segment of it was removed meanwhile.
 * @throws LogError `read-failed`
 */
export async function fetchPlan(core: Core, plan: Plan): Promise<Entry[] | undefined> {
  const spans = cutSpans(plan);
  // In the places of the plan, those that were damaged left empty.
  const entries = new Array<Entry | undefined>(plan.sequences.length);
  let damaged = 0;
  for (let from = 0; from < spans.length; from += SPANS) {
    const group = spans.slice(from, from + SPANS).map((span) => fetchSpan(core, plan, span, entries));
    for (const fetched of await Promise.all(group)) {
      if (fetched === undefined) return undefined;
      damaged += fetched.damaged;
    }
  }
  return damaged === 0 ? (entries as Entry[]) : entries.filter((entry) => entry !== undefined);
}

/** What came of a span: `undefined` if its segment was removed meanwhile. */
type Fetched = { readonly damaged: number } | undefined;
const WHOLE: Fetched = { damaged: 0 };

/** Messages `[from, to)` of a plan, read in one go. */
interface Span {
  readonly from: number;
  to: number;
}

function cutSpans(plan: Plan): Span[] {
  const spans: Span[] = [];
  let span: Span | undefined;
  let start = 0;
  let end = 0;
  let written = false;
  for (let at = 0; at < plan.sequences.length; at++) {
    const part = plan.parts[at]!;
    const offset = plan.offsets[at]!;
    const after = offset + part.overhead + plan.sizes[at]!;
    const joins =
      span !== undefined &&
      plan.parts[span.from]!.segment === part.segment &&
      // What is in a write buffer and what is in the file don't mix.
      written === after <= part.segment.written &&
      offset >= end &&
      offset - end <= GAP_BYTES &&
      after - start <= SPAN_BYTES;
    if (joins) span!.to = at + 1;
    else {
      span = { from: at, to: at + 1 };
      spans.push(span);
      start = offset;
      written = after <= part.segment.written;
    }
    end = after;
  }
  return spans;
}

function fetchSpan(
  core: Core,
  plan: Plan,
  span: Span,
  entries: (Entry | undefined)[],
): Fetched | Promise<Fetched> {
  const { segment } = plan.parts[span.from]!;
  const start = plan.offsets[span.from]!;
  const last = span.to - 1;
  const end = plan.offsets[last]! + plan.parts[last]!.overhead + plan.sizes[last]!;
  if (end > segment.written) return fetchUnwritten(core, plan, span, entries);
  return readSpan(core, plan, span, start, end, entries);
}

function fetchUnwritten(core: Core, plan: Plan, span: Span, entries: (Entry | undefined)[]): Fetched {
  for (let at = span.from; at < span.to; at++) {
    const part = plan.parts[at]!;
    const offset = plan.offsets[at]!;
    const chunk = core.chunks.find(
      (candidate) =>
        candidate.segment === part.segment &&
        offset >= candidate.offset - (candidate.start - candidate.begin) &&
        offset < candidate.offset + candidate.end - candidate.start,
    );
    if (chunk === undefined)
      throw new LogError('read-failed', 'A record is neither written nor waiting to be.');
    const frame = chunk.start + offset - chunk.offset;
    entries[at] = entryAt(plan, at, part, chunk.buffer, frame);
  }
  return WHOLE;
}

async function readSpan(
  core: Core,
  plan: Plan,
  span: Span,
  start: number,
  end: number,
  entries: (Entry | undefined)[],
): Promise<Fetched> {
  const { segment } = plan.parts[span.from]!;
  if (segment.removed) return undefined;
  const buffer = await readBytes(core, plan.parts[span.from]!, start, end);
  const view = viewOf(buffer);
  let damaged = 0;
  for (let at = span.from; at < span.to; at++) {
    const part = plan.parts[at]!;
    const frame = plan.offsets[at]! - start;
    if (intact(buffer, view, frame, plan, at)) {
      entries[at] = entryAt(plan, at, part, buffer, frame);
      continue;
    }
    // Once more from the disk: a bit that flipped on the way is none that flipped at rest.
    const offset = plan.offsets[at]!;
    if (segment.removed) return undefined;
    const again = await readBytes(core, part, offset, offset + part.overhead + plan.sizes[at]!);
    if (intact(again, viewOf(again), 0, plan, at)) entries[at] = entryAt(plan, at, part, again, 0);
    else {
      damaged += 1;
      await setAside(core, segment, offset, again, part, plan.sequences[at]!, plan.sizes[at]!);
    }
  }
  return damaged === 0 ? WHOLE : { damaged };
}

// hot: one CRC and one object per entry.
function intact(buffer: Buffer, view: DataView, frame: number, plan: Plan, at: number): boolean {
  const part = plan.parts[at]!;
  const length = part.overhead - FRAME_HEADER + plan.sizes[at]!;
  const body = frame + FRAME_HEADER;
  return (
    body + length <= buffer.length &&
    frameLength(view, frame, part.segment.salt, plan.offsets[at]!) === length &&
    buffer[body] === part.kind &&
    message.streamOf(buffer, body) === part.stream &&
    message.sequenceOf(buffer, body) === plan.sequences[at] &&
    bodyIntact(view, frame, length)
  );
}

function entryAt(plan: Plan, at: number, part: Part, buffer: Buffer, frame: number): Entry {
  const start = frame + part.overhead;
  return { sequence: plan.sequences[at]!, buffer, start, end: start + plan.sizes[at]!, part };
}

/** Bytes past the end of the file are missing from what is returned. */
async function readBytes(core: Core, part: Part, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(end - start);
  try {
    const filled = await withFile(core, part.segment, (file) => file.read(buffer, start));
    return buffer.subarray(0, filled);
  } catch (error) {
    throw new LogError('read-failed', `Segment ${part.segment.number} could not be read.`, {
      cause: error,
    });
  }
}
