/** Counts anew what lives in parts that a range of acknowledgements cut, once their indexes are at hand. */
import type { BlockSummary, RecordIndex } from '../format/footer.ts';
import { discountAllBut } from './accounting.ts';
import { type Core, sleep, turn } from './core.ts';
import { loadBlock } from './indexes.ts';
import type { RangeSet } from './ranges.ts';
import type { Part } from './segment.ts';

export async function recountParts(core: Core): Promise<void> {
  for (const part of core.recounts) {
    core.recounts.delete(part);
    try {
      await recount(core, part);
    } catch {
      // The index could not be read just now. Until it can the part counts as more alive than it is.
      core.recounts.add(part);
      await sleep(core, 1000);
    }
    await turn(core);
    if (core.state !== 'open') return;
  }
}

async function recount(core: Core, part: Part): Promise<void> {
  const stream = core.streams.get(part.stream);
  if (stream === undefined) return;
  const indexes = await cutIndexes(core, part, stream.acknowledged);
  // From here on nothing is awaited: the count is that of one moment.
  if (stream.removed || part.segment.removed || core.state !== 'open') return;
  const live = countLive(part, stream.acknowledged, indexes);
  // More was consumed meanwhile, or the segment was sealed: another round.
  if (live === undefined) core.recounts.add(part);
  else discountAllBut(core, stream, part, live.count, live.bytes);
  core.workers.reclaim.poke();
}

export interface Live {
  count: number;
  bytes: number;
}

type Indexes = ReadonlyMap<BlockSummary, RecordIndex>;

/** The indexes of the blocks that acknowledgements cut: the summaries of the others say enough. */
export async function cutIndexes(core: Core, part: Part, acknowledged: RangeSet): Promise<Indexes> {
  const indexes = new Map<BlockSummary, RecordIndex>();
  for (const block of part.blocks) {
    if (part.index !== undefined || part.segment.removed) break;
    if (!cut(acknowledged, block.first, block.last)) continue;
    const index = await loadBlock(core, part, block);
    if (index !== undefined) indexes.set(block, index);
  }
  return indexes;
}

/** `undefined` if an index is missing. */
export function countLive(part: Part, acknowledged: RangeSet, indexes: Indexes): Live | undefined {
  const from = part.carriedThrough + 1;
  const live: Live = { count: 0, bytes: 0 };
  if (part.index !== undefined) {
    countIndex(part.index, part.overhead, from, acknowledged, live);
    return live;
  }
  for (const block of part.blocks) {
    if (block.last < from || acknowledged.covers(block.first, block.last)) continue;
    if (block.first >= from && !acknowledged.overlaps(block.first, block.last)) {
      live.count += block.count;
      live.bytes += block.bytes;
      continue;
    }
    const index = indexes.get(block);
    if (index === undefined) return undefined;
    countIndex(index, part.overhead, from, acknowledged, live);
  }
  return live;
}

function cut(acknowledged: RangeSet, first: number, last: number): boolean {
  return acknowledged.overlaps(first, last) && !acknowledged.covers(first, last);
}

/** Adds up what is not acknowledged. */
function countIndex(
  index: RecordIndex,
  overhead: number,
  from: number,
  acknowledged: RangeSet,
  live: Live,
): void {
  for (let at = 0; at < index.count; at++) {
    const sequence = index.sequences[at]!;
    if (sequence < from || acknowledged.has(sequence)) continue;
    live.count++;
    live.bytes += overhead + index.sizes[at]!;
  }
}
