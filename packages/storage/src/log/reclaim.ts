/**
 * Keeps the files small: removes segments in which nothing lives, and carries what lives in mostly dead ones
 * forward. The bound is 2 x live bytes + 2 segments; see "Reclaim" in docs/internals/storage.md.
 */
import { CARRIED, DROPPED_BYTES, putDropped } from '../format/records.ts';
import { carrySegment } from './carry.ts';
import { type Core, sleep, turn, wake } from './core.ts';
import { overBound } from './reclaim-due.ts';
import { closeFile, type Segment, segmentsPath } from './segment.ts';
import { segmentBytes } from './stats.ts';
import { durable, writeRecord } from './writer.ts';

/** A segment of which so much would be there again, were it carried, is left as it is. */
const WORTH = 0.85;
/** So long a segment is looked at before it is carried, and so soon it must be empty to be left alone. */
const LOOK_MS = 100;
const SOON_MS = 2000;
/** Parts forgotten per turn. */
const SLICE_PARTS = 2000;

export async function reclaimSegments(core: Core): Promise<void> {
  // Before the active segment has its snapshot, recovery needs the ones before it.
  while (core.state === 'open' && core.active.snapshotComplete && !core.stalled) {
    core.deadSegments = false;
    const dead = [...core.segments.values()].filter(
      (segment) => segment.sealed && segment.liveCount === 0 && segment !== core.active,
    );
    if (dead.length > 0) {
      await dropSegments(core, dead);
      continue;
    }
    const next = overBound(core) ? chooseSegment(core) : undefined;
    if (next === undefined) return;
    if (await emptiesSoon(core, next)) continue;
    await carrySegment(core, next);
    await turn(core);
  }
}

/** Whether a segment is being emptied so fast that carrying what is left would be for nothing. */
async function emptiesSoon(core: Core, segment: Segment): Promise<boolean> {
  // On a full disk every moment counts; and what was begun is finished.
  if (core.full || segment.carryAttempt > 0) return false;
  const { liveCount } = segment;
  await sleep(core, LOOK_MS);
  const gone = liveCount - segment.liveCount;
  return core.state !== 'open' || gone * SOON_MS >= segment.liveCount * LOOK_MS;
}

/** The sealed segment with the lowest live share. */
function chooseSegment(core: Core): Segment | undefined {
  const now = core.clock.now();
  let best: Segment | undefined;
  let bestShare = WORTH;
  for (const segment of core.segments.values()) {
    if (!segment.sealed || segment === core.active || segment.carryNotBefore > now) continue;
    // On a full disk the copies must fit into what is left of the reserve.
    if (core.full && segment.liveBytes > core.limits.reserveBytes / 8) continue;
    // What was begun is finished first: until then its copies take room twice.
    if (segment.carryAttempt > 0) return segment;
    const share = shareKept(core, segment);
    if (share >= bestShare || holdsUnfinished(core, segment)) continue;
    best = segment;
    bestShare = share;
  }
  return best;
}

/** What carrying a segment would write, to what it would free. Not only messages: snapshot and footer come again. */
function shareKept(core: Core, segment: Segment): number {
  const { active } = core;
  const again = 1 + active.snapshotBytes / active.limit + segment.footerBytes / segment.end;
  return (segment.liveBytes * again) / segmentBytes(segment);
}

/** Copies whose original isn't dropped yet: a copy of such a copy would count beside the original after a crash. */
function holdsUnfinished(core: Core, segment: Segment): boolean {
  return segment.parts.some(
    (part) => part.kind === CARRIED && part.liveCount > 0 && core.segments.has(part.source),
  );
}

async function dropSegments(core: Core, dead: readonly Segment[]): Promise<void> {
  // First what killed them must be durable: acknowledgements, copies, and the snapshot that stands for their records.
  await durable(core, core.position);
  for (const segment of dead) {
    const { number, carryAttempt } = segment;
    writeRecord(core, DROPPED_BYTES, (bytes, at) => putDropped(bytes, at, number, carryAttempt));
    core.dropped.set(number, carryAttempt);
  }
  // Then their end: if a file comes back after a power loss, it is known as dropped.
  await durable(core, core.position);
  for (const segment of dead) {
    segment.removed = true;
    core.segments.delete(segment.number);
    core.sealedBytes -= segmentBytes(segment);
    await closeFile(segment);
    await core.disk.remove(segment.path);
    core.counters.removedSegments++;
    const { number: removed, carriedBytes } = segment;
    core.onEvent({ type: 'segment-removed', segment: removed, carriedBytes });
  }
  await core.disk.syncDirectory(segmentsPath(core.directory));
  forgetDropped(core);
  wake(core);
  for (const segment of dead) await forgetParts(core, segment);
}

/** Once the files can't come back, only copies of an attempt that was cut off need the drop to be known. */
export function forgetDropped(core: Core): void {
  const voided = new Set<number>();
  if (core.dropped.size === 0) return;
  for (const segment of core.segments.values()) {
    for (const part of segment.parts) {
      if (part.kind === CARRIED && core.dropped.get(part.source) !== part.attempt) voided.add(part.source);
    }
  }
  for (const number of core.dropped.keys()) if (!voided.has(number)) core.dropped.delete(number);
}

async function forgetParts(core: Core, segment: Segment): Promise<void> {
  let done = 0;
  for (const part of segment.parts) {
    for (const block of part.blocks) core.cache.delete(block);
    core.recounts.delete(part);
    const stream = core.streams.get(part.stream);
    const at = stream?.parts.indexOf(part) ?? -1;
    if (at >= 0) stream!.parts.splice(at, 1);
    if (++done % SLICE_PARTS === 0) await turn(core);
  }
}
