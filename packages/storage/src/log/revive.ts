/** Streams and live counts, from what recovery read. */
import { CARRIED } from '../format/records.ts';
import type { Core } from './core.ts';
import { countLive, cutIndexes } from './recount.ts';
import type { Replay } from './replay.ts';
import type { Part } from './segment.ts';
import { LogStream } from './stream.ts';

/** Streams from what the records said. */
export function bringBack(core: Core, replay: Replay): void {
  const decoder = new TextDecoder();
  const names = new Set<string>();
  const revived: LogStream[] = [];
  let highest = Math.max(0, replay.snapshotNext - 1);
  for (const known of [...replay.streams.values()].sort((left, right) => right.id - left.id)) {
    highest = Math.max(highest, known.id);
    if (replay.removed.has(known.id)) continue;
    if (known.record === undefined && known.id < replay.snapshotNext) continue;
    const { record, acknowledged } = known;
    // A stream whose birth was lost keeps what it holds, under a name that says so.
    let name = record === undefined ? `recovered-${known.id}` : decoder.decode(record.name);
    if (names.has(name)) {
      if (record !== undefined) {
        // A name is used again only after a removal: that of the older stream was lost, its successor was not.
        core.superseded.push(known.id);
        continue;
      }
      name = `${name}-${core.nextSegment}`;
    }
    const nameBytes = record?.name ?? Buffer.from(name);
    const stream = new LogStream(core, known.id, name, nameBytes, record?.attributes ?? new Uint8Array(0));
    stream.nextSequence = Math.max(known.nextSequence, acknowledged.highest + 1);
    for (let at = 0; at < acknowledged.length; at++) {
      stream.acknowledged.addRange(acknowledged.first(at), acknowledged.last(at));
    }
    names.add(name);
    revived.push(stream);
    if (record === undefined) core.orphans.push(stream);
  }
  // Oldest first, as they were created.
  for (const stream of revived.reverse()) {
    core.streams.set(stream.id, stream);
    core.byName.set(stream.name, stream);
  }
  for (const id of replay.removed) highest = Math.max(highest, id);
  core.nextStreamId = highest + 1;
}

/** Joins parts to their streams and counts what lives. */
export async function countAll(core: Core): Promise<void> {
  const attempts = new Map<number, number>();
  for (const segment of core.segments.values()) {
    for (const { kind, source, attempt } of segment.parts) {
      if (kind === CARRIED) attempts.set(source, Math.max(attempt, attempts.get(source) ?? 0));
    }
  }
  for (const [source, attempt] of attempts) {
    const segment = core.segments.get(source);
    if (segment !== undefined) segment.lastAttempt = attempt;
  }
  for (const segment of core.segments.values()) {
    for (const part of segment.parts) {
      part.void = !core.streams.has(part.stream) || !counts(core, part, attempts);
    }
    for (const part of [...segment.parts]) {
      // One whose index turned out damaged was replaced, and its replacement counted.
      if (!part.void && part.replacedBy === undefined) await countPart(core, part);
    }
  }
}

/** A copy counts only when its original was dropped, and only that of the attempt that was finished. */
function counts(core: Core, part: Part, attempts: ReadonlyMap<number, number>): boolean {
  if (part.kind !== CARRIED) return true;
  if (core.segments.has(part.source)) return false;
  // No longer told of: then there are copies of one attempt only.
  return (core.dropped.get(part.source) ?? attempts.get(part.source)) === part.attempt;
}

async function countPart(core: Core, part: Part): Promise<void> {
  const stream = core.streams.get(part.stream)!;
  const { indexings } = part.segment;
  const indexes = await cutIndexes(core, part, stream.acknowledged);
  if (part.segment.indexings !== indexings) return;
  const live = countLive(part, stream.acknowledged, indexes) ?? { count: 0, bytes: 0 };
  const { segment } = part;
  part.liveCount = live.count;
  part.liveBytes = live.bytes;
  segment.liveCount += live.count;
  segment.liveBytes += live.bytes;
  core.liveBytes += live.bytes;
  stream.liveCount += live.count;
  stream.livePayloadBytes += live.bytes - live.count * part.overhead;
  // A dead part has nothing to read; the segment keeps it for its footer.
  if (live.count > 0 || part.index !== undefined) stream.parts.push(part);
}

/** The newest streams' parts in the segment that goes on are appended to. */
export function resumeParts(core: Core): void {
  for (const part of core.active.parts) {
    if (!part.void) core.streams.get(part.stream)?.resumePart(part);
  }
}
