/** Which messages a read will return, decided on what is in memory. Pure, but for the cache's order of use. */
import type { BlockSummary, RecordIndex } from '../format/footer.ts';
import type { BlockCache } from './block-cache.ts';
import type { RangeSet } from './ranges.ts';
import type { Part } from './segment.ts';

/** Messages `[from, to)` of an index. */
export interface Run {
  readonly part: Part;
  readonly index: RecordIndex;
  readonly from: number;
  to: number;
}

/** Messages to be read, in the order of their sequences. */
export class Plan {
  readonly runs: Run[] = [];
  count = 0;
  payloadBytes = 0;
  #last: Run | undefined;

  // hot: what stands in one index in a row takes one object.
  add(part: Part, index: RecordIndex, at: number): void {
    if (this.#last?.index === index && this.#last.to === at) this.#last.to = at + 1;
    else {
      this.#last = { part, index, from: at, to: at + 1 };
      this.runs.push(this.#last);
    }
    this.count++;
    this.payloadBytes += index.sizes[at]!;
  }

  /** Of what it holds, if anything. */
  get firstSequence(): number {
    const first = this.runs[0]!;
    return first.index.sequences[first.from]!;
  }

  get lastSequence(): number {
    const last = this.#last!;
    return last.index.sequences[last.to - 1]!;
  }
}

/** An index that must be read before the plan can be made. */
export interface Needed {
  readonly part: Part;
  readonly block: BlockSummary;
}

/** Where in one part the merge stands: at the first message from `next` on. */
interface Lane {
  readonly part: Part;
  next: number;
}

export function planRead(
  parts: readonly Part[],
  acknowledged: RangeSet,
  cache: Pick<BlockCache, 'get'>,
  afterSequence: number,
  maxEntries: number,
  maxBytes: number,
): Plan | Needed {
  const plan = new Plan();
  const lanes = openLanes(parts, acknowledged.nextAbsent(afterSequence + 1));
  while (lanes.length > 0) {
    const lane = lowest(lanes);
    const bound = lowestOther(lanes, lane);
    const { part } = lane;
    const block = part.index === undefined ? blockFrom(part, lane.next) : undefined;
    const index = part.index ?? (block === undefined ? undefined : cache.get(block));
    if (index === undefined) {
      // What is planned already is worth returning; the next read will need the block.
      if (block === undefined || plan.count > 0) return plan;
      return { part, block };
    }
    let at = lowerBound(index, lane.next);
    const length = index.count;
    for (; at < length; at++) {
      const sequence = index.sequences[at]!;
      // Where another lane may begin with the same one this lane has it: no sequence is in two.
      if (sequence > bound) break;
      if (acknowledged.has(sequence)) continue;
      const full = plan.payloadBytes + index.sizes[at]! > maxBytes || plan.count >= maxEntries;
      if (full && plan.count > 0) return plan;
      plan.add(part, index, at);
    }
    lane.next = at < length ? index.sequences[at]! : (block?.last ?? part.last) + 1;
    if (lane.next > part.last) lanes.splice(lanes.indexOf(lane), 1);
  }
  return plan;
}

function openLanes(parts: readonly Part[], from: number): Lane[] {
  const lanes: Lane[] = [];
  for (const part of parts) {
    if (part.liveCount === 0 || part.last < from) continue;
    lanes.push({ part, next: Math.max(from, part.first, part.carriedThrough + 1) });
  }
  return lanes.filter((lane) => lane.next <= lane.part.last);
}

function lowest(lanes: readonly Lane[]): Lane {
  let best = lanes[0]!;
  for (const lane of lanes) if (lane.next < best.next) best = lane;
  return best;
}

function lowestOther(lanes: readonly Lane[], but: Lane): number {
  let bound = Number.POSITIVE_INFINITY;
  for (const lane of lanes) if (lane !== but && lane.next < bound) bound = lane.next;
  return bound;
}

/** The block of a sealed part in which the first message from `sequence` on lies. */
export function blockFrom(part: Part, sequence: number): BlockSummary | undefined {
  const { blocks } = part;
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (blocks[middle]!.last < sequence) low = middle + 1;
    else high = middle;
  }
  return blocks[low];
}

/** Place of the first message from `sequence` on. */
export function lowerBound(index: RecordIndex, sequence: number): number {
  const { sequences } = index;
  let low = 0;
  let high = index.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sequences[middle]! < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
