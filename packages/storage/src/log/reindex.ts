/**
 * A segment with a damaged index block gets its index anew, in memory, from the messages themselves. The footer stays
 * as it is: on the next opening the damage is found and told again, until the segment is reclaimed.
 */
import { LogError } from '../errors.ts';
import type { BlockSummary } from '../format/footer.ts';
import { CARRIED, DATA, MOVED } from '../format/records.ts';
import { discountAllBut } from './accounting.ts';
import type { Core } from './core.ts';
import { quarantine } from './damage.ts';
import { lowerBound } from './plan.ts';
import { indexMessage, makeReplay } from './replay.ts';
import { scanFrames } from './scan.ts';
import { makeIndex, type Part, pushRecord, type Segment, withFile } from './segment.ts';
import type { LogStream } from './stream.ts';

export async function reindex(
  core: Core,
  segment: Segment,
  block: BlockSummary,
  damaged: Uint8Array,
): Promise<void> {
  const { indexings } = segment;
  await quarantine(core, segment.number, block.offset, damaged);
  const fresh: Part[] = [];
  const replay = makeReplay();
  try {
    await withFile(core, segment, (file) =>
      scanFrames(file, segment.end, segment.salt, (bytes, start, end, offset) => {
        const type = bytes[start]!;
        if (type !== DATA && type !== MOVED && type !== CARRIED) return;
        indexMessage(replay, segment, fresh, type, bytes, start, end, offset);
      }),
    );
  } catch (error) {
    if (segment.removed) return;
    throw new LogError('read-failed', `Segment ${segment.number} could not be read.`, { cause: error });
  }
  // Two reads may find the same damage: the second one finds it mended.
  if (segment.indexings === indexings && !segment.removed) replaceParts(core, segment, fresh);
}

function replaceParts(core: Core, segment: Segment, fresh: readonly Part[]): void {
  const before = segment.parts.splice(0);
  segment.indexings++;
  for (const part of before) {
    for (const block of part.blocks) core.cache.delete(block);
    core.recounts.delete(part);
    const stream = core.streams.get(part.stream);
    if (stream === undefined) continue;
    discountAllBut(core, stream, part, 0, 0);
    const at = stream.parts.indexOf(part);
    if (at >= 0) stream.parts.splice(at, 1);
  }
  for (const part of fresh) {
    const same = before.filter((old) => sameKind(old, part));
    part.void = same.length === 0 || same[0]!.void;
    leaveOutCarried(part, same);
    for (const old of same) {
      old.replacedBy ??= [];
      old.replacedBy.push(part);
    }
    if (part.count === 0) continue;
    segment.parts.push(part);
    const stream = core.streams.get(part.stream);
    if (stream !== undefined && !part.void) enterAll(core, stream, part);
  }
}

function sameKind(left: Part, right: Part): boolean {
  return (
    left.stream === right.stream &&
    left.kind === right.kind &&
    left.source === right.source &&
    left.attempt === right.attempt
  );
}

/** What was carried already counts there; until the segment is dropped its footer still tells of it. */
function leaveOutCarried(part: Part, before: readonly Part[]): void {
  const carried = before.filter((old) => old.carriedThrough > 0);
  if (carried.length === 0) return;
  const all = part.index!;
  const rest = makeIndex();
  for (let at = 0; at < all.count; at++) {
    const sequence = all.sequences[at]!;
    if (carried.some((old) => old.first <= sequence && sequence <= old.carriedThrough)) continue;
    pushRecord(rest, sequence, all.offsets[at]!, all.sizes[at]!);
  }
  part.index = rest;
  part.count = rest.count;
  part.first = rest.sequences[0] ?? 0;
  part.last = rest.sequences[rest.count - 1] ?? 0;
}

function enterAll(core: Core, stream: LogStream, part: Part): void {
  const { count: records, sequences, sizes } = part.index!;
  let count = 0;
  let bytes = 0;
  for (let at = 0; at < records; at++) {
    if (stream.acknowledged.has(sequences[at]!)) continue;
    count++;
    bytes += part.overhead + sizes[at]!;
  }
  discountAllBut(core, stream, part, count, bytes);
  stream.parts.push(part);
}

/** The part that has the message now; `undefined` if the damage took it. */
export function replacement(part: Part, sequence: number): Part | undefined {
  return part.replacedBy?.find((fresh) => {
    const index = fresh.index!;
    const at = lowerBound(index, sequence);
    return at < index.count && index.sequences[at] === sequence;
  });
}
