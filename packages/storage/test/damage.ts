/** What a log owes after bits flipped at rest: only what was hit may be missing, it must have been told, nothing is invented. */
import type { Random, SimulatedDisk } from '@rookery/testkit';
import type { LogEvent } from '../src/index.ts';
import { type Model, type Observed, payloadOf, told, Violation } from './model.ts';

export interface Flip {
  readonly path: string;
  readonly position: number;
  readonly mask: number;
}

export interface FlipReport {
  readonly flips: number;
  readonly missing: number;
  readonly told: number;
}

/** Flips one to three bits anywhere in the segments. */
export function drawFlips(random: Random, disk: SimulatedDisk): Flip[] {
  const files = disk.files().filter((file) => file.path.includes('/segments/') && file.bytes > 0);
  return Array.from({ length: random.between(1, 3) }, () => {
    const { path, bytes } = random.pick(files);
    const flip = { path, position: random.below(bytes), mask: 1 << random.below(8) };
    disk.flip(path, flip.position, flip.mask);
    return flip;
  });
}

/** All that can be read, in short. */
export function summary(observed: readonly Observed[]): string {
  return observed
    .map((stream) => `${stream.id}:${stream.entries.map((entry) => entry.sequence).join(',')}`)
    .sort()
    .join(' ');
}

/** The model must be settled: all it holds is certain. Returns how many messages are missing. */
export function checkAfterFlips(
  model: Model,
  observed: readonly Observed[],
  flips: readonly Flip[],
  events: readonly LogEvent[],
): number {
  const seen = new Map(observed.map((stream) => [stream.id, stream]));
  let missing = 0;
  for (const stream of model.streams.values()) {
    const found = seen.get(stream.id);
    const live = model.live(stream);
    // A stream without messages leaves nothing behind when its record is hit.
    if (found === undefined && live.length === 0) continue;
    if (found === undefined) throw new Violation(`${told(stream)} is gone with ${live.length} messages`);
    const sequences = new Set(found.entries.map((entry) => entry.sequence));
    for (const message of live) if (!sequences.has(message.sequence)) missing++;
  }
  for (const stream of observed) {
    let previous = 0;
    for (const entry of stream.entries) {
      const name = `stream ${stream.name} (${stream.id}): ${entry.sequence}`;
      if (entry.sequence <= previous) throw new Violation(`${name} was read after ${previous}`);
      previous = entry.sequence;
      if (!model.wasAppended(stream.id, entry.sequence, payloadOf(entry))) {
        throw new Violation(`${name} was never appended with these bytes`);
      }
    }
    if (stream.liveCount !== stream.entries.length) {
      throw new Violation(
        `stream ${stream.name} counts ${stream.liveCount}, read were ${stream.entries.length}`,
      );
    }
  }
  if (missing > flips.length)
    throw new Violation(`${missing} messages are missing after ${flips.length} flips`);
  const tellings = events.filter((event) => event.type === 'damaged' || event.type === 'torn-tail');
  if (missing > 0 && tellings.length === 0)
    throw new Violation(`${missing} messages are missing and nobody said so`);
  return missing;
}
