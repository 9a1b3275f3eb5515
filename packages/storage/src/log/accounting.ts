/** What lives and where: exact, in constant time per acknowledged entry. */

import type { MessageKind } from '../format/records.ts';
import type { Core } from './core.ts';
import { replacement } from './reindex.ts';
import { addToIndex, makePart, type Part, type Segment } from './segment.ts';
import type { LogStream } from './stream.ts';

/** Counts a message that was just placed; its part is the last of its stream in that segment. */
// hot
export function enter(
  core: Core,
  stream: LogStream,
  part: Part,
  sequence: number,
  offset: number,
  size: number,
): void {
  addToIndex(part, sequence, offset, size);
  const bytes = part.overhead + size;
  part.liveCount++;
  part.liveBytes += bytes;
  const { segment } = part;
  segment.liveCount++;
  segment.liveBytes += bytes;
  core.liveBytes += bytes;
  stream.liveCount++;
  stream.livePayloadBytes += size;
}

export function addPart(
  segment: Segment,
  stream: LogStream,
  kind: MessageKind,
  source: number,
  attempt: number,
): Part {
  const part = makePart(segment, stream.id, kind, source, attempt);
  segment.parts.push(part);
  // Full by parts as it would be by bytes: the next record goes to the next segment.
  if (segment.parts.length >= segment.maxParts) segment.limit = Math.min(segment.limit, segment.end);
  stream.parts.push(part);
  return part;
}

/** Where an entry counts now: its part, or the one its record was carried to since. `undefined`: nowhere, it was damaged. */
// hot: the loop isn't entered unless the segment was carried.
export function currentPart(part: Part, sequence: number): Part | undefined {
  let current: Part | undefined = part;
  while (current !== undefined) {
    if (current.successors !== undefined && sequence <= current.carriedThrough) {
      current = current.successors.find((heir) => heir.first <= sequence && sequence <= heir.last);
    } else if (current.replacedBy !== undefined) current = replacement(current, sequence);
    else return current;
  }
  return undefined;
}

/** Takes one message off the live ones. */
// hot
export function discount(core: Core, stream: LogStream, part: Part | undefined, size: number): void {
  if (part === undefined) return;
  const bytes = part.overhead + size;
  part.liveCount--;
  part.liveBytes -= bytes;
  const { segment } = part;
  if (--segment.liveCount === 0) core.deadSegments = true;
  segment.liveBytes -= bytes;
  core.liveBytes -= bytes;
  stream.liveCount--;
  stream.livePayloadBytes -= size;
}

/** Takes all that lives in the part off, or what is left of it after a recount. */
export function discountAllBut(
  core: Core,
  stream: LogStream,
  part: Part,
  liveCount: number,
  liveBytes: number,
): void {
  const count = part.liveCount - liveCount;
  const bytes = part.liveBytes - liveBytes;
  part.liveCount = liveCount;
  part.liveBytes = liveBytes;
  const { segment } = part;
  segment.liveCount -= count;
  if (segment.liveCount === 0) core.deadSegments = true;
  segment.liveBytes -= bytes;
  core.liveBytes -= bytes;
  stream.liveCount -= count;
  stream.livePayloadBytes -= bytes - count * part.overhead;
}

/**
 * After a range was acknowledged without entries: parts that lie in it whole are dead at once; of those that it
 * cuts, the indexes say, which may have to be read: the recount worker does.
 */
export function discountRange(core: Core, stream: LogStream, first: number, last: number): void {
  for (const part of stream.parts) {
    if (part.liveCount === 0 || part.first > last || part.last < first) continue;
    if (stream.acknowledged.covers(Math.max(part.first, part.carriedThrough + 1), part.last)) {
      discountAllBut(core, stream, part, 0, 0);
    } else {
      core.recounts.add(part);
      core.workers.recount.poke();
    }
  }
}
