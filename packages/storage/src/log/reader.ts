/** Reading entries: plan, read what lies close together in one go, check each record, hand out. */
import { LogError } from '../errors.ts';
import { viewOf } from '../format/bytes.ts';
import type { BlockSummary, RecordIndex } from '../format/footer.ts';
import { bodyIntact, FRAME_HEADER, frameLength } from '../format/frame.ts';
import { message } from '../format/records.ts';
import { type Core, refusal } from './core.ts';
import { setAside } from './damage.ts';
import { loadBlock } from './indexes.ts';
import { type Plan, planRead, type Run } from './plan.ts';
import { type Segment, withFile } from './segment.ts';
import type { LogStream } from './stream.ts';
import type { Entry, MakeEntry, Place } from './types.ts';

/** One trip to the disk reads so much at most, unless one record is larger. */
const SPAN_BYTES: number = 256 * 1024;
/** Bytes between two messages that are cheaper to read than to skip. */
const GAP_BYTES = 16 * 1024;
/** Trips of one read under way at a time. */
const SPANS = 8;

export const makeEntry: MakeEntry<Entry> = (sequence, buffer, start, end, part) => ({
  sequence,
  buffer,
  start,
  end,
  size: end - start,
  part,
});

export async function readEntries<E extends Place>(
  core: Core,
  stream: LogStream,
  afterSequence: number,
  maxEntries: number,
  maxBytes: number,
  make: MakeEntry<E>,
): Promise<E[]> {
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
    if (plan.count === 0) return [];
    const entries = await fetchPlan(core, plan, make);
    // A segment went away while others were read: what it held was carried, and has another place now.
    if (entries === undefined) continue;
    // While the disk worked some may have been consumed, or found damaged and set aside.
    const { acknowledged } = stream;
    const live = acknowledged.overlaps(plan.firstSequence, plan.lastSequence)
      ? entries.filter((entry) => !acknowledged.has(entry.sequence))
      : entries;
    if (live.length > 0 || stream.removed) return live;
  }
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
    if (!('block' in plan)) return plan.count > 0 && plan.firstSequence === sequence;
    const index = await loadBlock(core, plan.part, plan.block);
    if (index !== undefined) pinned.set(plan.block, index);
  }
}

/**
 * The entries of a plan; damaged ones are set aside and left out. `undefined` if a segment of it was removed meanwhile.
 * @throws LogError `read-failed`
 */
export async function fetchPlan<E extends Place>(
  core: Core,
  plan: Plan,
  make: MakeEntry<E>,
): Promise<E[] | undefined> {
  const spans = cutSpans(plan);
  // In the places of the plan, those that were damaged left empty.
  const entries = new Array<E | undefined>(plan.count);
  let damaged = 0;
  for (let from = 0; from < spans.length; from += SPANS) {
    const group = spans.slice(from, from + SPANS).map((span) => fetchSpan(core, span, entries, make));
    for (const fetched of await Promise.all(group)) {
      if (fetched === undefined) return undefined;
      damaged += fetched.damaged;
    }
  }
  return damaged === 0 ? (entries as E[]) : entries.filter((entry) => entry !== undefined);
}

/** What came of a span: `undefined` if its segment was removed meanwhile. */
type Fetched = { readonly damaged: number } | undefined;
const WHOLE: Fetched = { damaged: 0 };

/** What of a plan is read in one go: bytes `[start, end)` of a segment. */
interface Span {
  readonly segment: Segment;
  readonly runs: Run[];
  /** Of its first message among those of the plan. */
  readonly place: number;
  readonly start: number;
  end: number;
}

function cutSpans(plan: Plan): Span[] {
  const spans: Span[] = [];
  let span: Span | undefined;
  let spanWritten = false;
  let place = 0;
  for (const { part, index, from, to } of plan.runs) {
    const { segment, overhead } = part;
    let run: Run | undefined;
    for (let at = from; at < to; at++, place++) {
      const start = index.offsets[at]!;
      const end = start + overhead + index.sizes[at]!;
      const written = end <= segment.written;
      const joins =
        span !== undefined &&
        span.segment === segment &&
        // What is in a write buffer and what is in the file don't mix.
        spanWritten === written &&
        start >= span.end &&
        start - span.end <= GAP_BYTES &&
        end - span.start <= SPAN_BYTES;
      if (joins) span!.end = end;
      else {
        span = { segment, runs: [], place, start, end };
        spans.push(span);
        spanWritten = written;
        run = undefined;
      }
      if (run !== undefined) run.to = at + 1;
      else {
        run = { part, index, from: at, to: at + 1 };
        span!.runs.push(run);
      }
    }
  }
  return spans;
}

function fetchSpan<E extends Place>(
  core: Core,
  span: Span,
  entries: (E | undefined)[],
  make: MakeEntry<E>,
): Fetched | Promise<Fetched> {
  // Not as it was when the spans were cut: it may have been written while others were read.
  const unwritten = span.end > span.segment.written;
  return unwritten ? fetchUnwritten(core, span, entries, make) : readSpan(core, span, entries, make);
}

function fetchUnwritten<E extends Place>(
  core: Core,
  span: Span,
  entries: (E | undefined)[],
  make: MakeEntry<E>,
): Fetched {
  let { place } = span;
  for (const { part, index, from, to } of span.runs) {
    for (let at = from; at < to; at++, place++) {
      const offset = index.offsets[at]!;
      const chunk = core.chunks.find(
        (candidate) =>
          candidate.segment === part.segment &&
          offset >= candidate.offset - (candidate.start - candidate.begin) &&
          offset < candidate.offset + candidate.end - candidate.start,
      );
      if (chunk === undefined)
        throw new LogError('read-failed', 'A record is neither written nor waiting to be.');
      const start = chunk.start + offset - chunk.offset + part.overhead;
      entries[place] = make(index.sequences[at]!, chunk.buffer, start, start + index.sizes[at]!, part);
    }
  }
  return WHOLE;
}

async function readSpan<E extends Place>(
  core: Core,
  span: Span,
  entries: (E | undefined)[],
  make: MakeEntry<E>,
): Promise<Fetched> {
  const { segment, start } = span;
  if (segment.removed) return undefined;
  const bytes = await readBytes(core, segment, start, span.end);
  if (bytes === undefined) return undefined;
  let { place } = span;
  let damaged = 0;
  for (const run of span.runs) {
    const { part, index, from, to } = run;
    for (let at = from; at < to; at++, place++) {
      const intact = takeIntact(bytes, start, run, at, entries, place, make);
      place += intact - at;
      at = intact;
      if (at === to) break;
      // Once more from the disk: a bit that flipped on the way is none that flipped at rest.
      const offset = index.offsets[at]!;
      if (segment.removed) return undefined;
      const again = await readBytes(core, segment, offset, offset + part.overhead + index.sizes[at]!);
      if (again === undefined) return undefined;
      const one: Run = { part, index, from: at, to: at + 1 };
      if (takeIntact(again, offset, one, at, entries, place, make) === at) {
        damaged += 1;
        await setAside(core, segment, offset, again, part, index.sequences[at]!, index.sizes[at]!);
      }
    }
  }
  return damaged === 0 ? WHOLE : { damaged };
}

// hot: one CRC and one object per entry.
/** Makes entries of the run's messages `from` and on, out of bytes that stand at `start`, up to the first that isn't intact. */
function takeIntact<E extends Place>(
  bytes: Buffer,
  start: number,
  { part, index, to }: Run,
  from: number,
  entries: (E | undefined)[],
  place: number,
  make: MakeEntry<E>,
): number {
  const { overhead, kind, stream } = part;
  const { salt } = part.segment;
  const { sequences, offsets, sizes } = index;
  const view = viewOf(bytes);
  for (let at = from; at < to; at++) {
    const offset = offsets[at]!;
    const frame = offset - start;
    const body = frame + FRAME_HEADER;
    const end = frame + overhead + sizes[at]!;
    const sequence = sequences[at]!;
    const intact =
      end <= bytes.length &&
      frameLength(view, frame, salt, offset) === end - body &&
      bytes[body] === kind &&
      message.streamOf(bytes, body) === stream &&
      message.sequenceOf(bytes, body) === sequence &&
      bodyIntact(view, frame, end - body);
    if (!intact) return at;
    entries[place + at - from] = make(sequence, bytes, frame + overhead, end, part);
  }
  return to;
}

/** Bytes past the end of the file are missing from what is returned; `undefined` if the file went away meanwhile. */
async function readBytes(
  core: Core,
  segment: Segment,
  start: number,
  end: number,
): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafeSlow(end - start);
  try {
    const filled = await withFile(core, segment, (file) => file.read(buffer, start));
    return buffer.subarray(0, filled);
  } catch (error) {
    if (segment.removed) return undefined;
    throw new LogError('read-failed', `Segment ${segment.number} could not be read.`, {
      cause: error,
    });
  }
}
