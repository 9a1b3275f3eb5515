/** A segment whose footer turned out damaged is indexed anew from its messages, and sealed once more. */
import { LogError } from '../errors.ts';
import type { BlockSummary } from '../format/footer.ts';
import { CARRIED, DATA, type MessageKind, MOVED, message, messageFields } from '../format/records.ts';
import type { Core } from './core.ts';
import { quarantine } from './damage.ts';
import { scanFrames } from './scan.ts';
import { type GrowingIndex, type Part, type Segment, withFile } from './segment.ts';

export async function reindex(
  core: Core,
  segment: Segment,
  block: BlockSummary,
  damaged: Uint8Array,
): Promise<void> {
  // Two reads may find the same damage: the second one finds it mended.
  if (!segment.sealed) return;
  await quarantine(core, segment.number, block.offset, damaged);
  const indexes = new Map<Part, GrowingIndex>();
  for (const part of segment.parts) indexes.set(part, { sequences: [], offsets: [], sizes: [] });
  try {
    await withFile(core, segment, (file) =>
      scanFrames(file, segment.end, segment.salt, (bytes, start, end, offset) => {
        const type = bytes[start]!;
        if (type !== DATA && type !== MOVED && type !== CARRIED) return;
        const sequence = message.sequenceOf(bytes, start);
        const part = partOf(segment, bytes, start, sequence, type);
        const index = part === undefined ? undefined : indexes.get(part);
        if (index === undefined) return;
        index.sequences.push(sequence);
        index.offsets.push(offset);
        index.sizes.push(end - start - messageFields(type));
      }),
    );
  } catch (error) {
    throw new LogError('read-failed', `Segment ${segment.number} could not be read.`, { cause: error });
  }
  if (!segment.sealed) return;
  segment.sealed = false;
  for (const [part, index] of indexes) {
    for (const old of part.blocks) core.cache.delete(old);
    part.index = index;
    // What was lost to damage counts no longer as alive.
    core.recounts.add(part);
  }
  core.workers.recount.poke();
  core.workers.seal.poke();
}

function partOf(
  segment: Segment,
  bytes: Uint8Array,
  start: number,
  sequence: number,
  kind: MessageKind,
): Part | undefined {
  const stream = message.streamOf(bytes, start);
  const source = kind === CARRIED ? message.sourceOf(bytes, start) : 0;
  const attempt = kind === CARRIED ? message.attemptOf(bytes, start) : 0;
  return segment.parts.find(
    (part) =>
      part.stream === stream &&
      part.kind === kind &&
      part.source === source &&
      part.attempt === attempt &&
      part.first <= sequence &&
      sequence <= part.last,
  );
}
