/** What must hold of a log that had nothing to do for a while. */
import type { SimulatedDisk } from '@rookery/testkit';
import type { Log, Stream } from '../src/index.ts';
import { type Model, type ModelStream, told, Violation } from './model.ts';

/** What a frame adds to a payload: least and most. */
const FRAME_BYTES = [25, 50] as const;

export function checkFigures(log: Log, model: Model, streams: ReadonlyMap<ModelStream, Stream>): void {
  if (log.committedPosition !== log.position) {
    throw new Violation(`only ${log.committedPosition} of ${log.position} are committed, though all is idle`);
  }
  if (log.full) throw new Violation('still full, though there has been room for a while');
  if (log.congested) throw new Violation('congested, though nothing is in flight');
  let payloads = 0;
  let messages = 0;
  for (const [known, stream] of streams) {
    const live = model.live(known);
    const bytes = live.reduce((sum, message) => sum + message.payload.length, 0);
    payloads += bytes;
    messages += live.length;
    if (stream.liveCount !== live.length || stream.livePayloadBytes !== bytes) {
      throw new Violation(
        `${told(known)} counts ${stream.liveCount} live messages of ${stream.livePayloadBytes} bytes; ` +
          `there are ${live.length} of ${bytes}`,
      );
    }
  }
  const { liveBytes } = log.stats;
  const [least, most] = FRAME_BYTES;
  if (liveBytes < payloads + messages * least || liveBytes > payloads + messages * most) {
    throw new Violation(`stats say ${liveBytes} live bytes, for ${messages} messages of ${payloads} bytes`);
  }
}

/** The bound of docs/internals/storage.md, "Reclaim". */
export function checkDiskUse(log: Log, disk: SimulatedDisk, segmentBytes: number): void {
  let quarantined = 0;
  // A segment passes its size by what comes while the next one is being made: a lot, where segments are this small.
  let segment = segmentBytes;
  for (const { path, bytes } of disk.files()) {
    if (path.includes('/quarantine/')) quarantined += bytes;
    else segment = Math.max(segment, bytes);
  }
  const used = disk.usedBytes - quarantined;
  const { liveBytes, diskBytes } = log.stats;
  const bound = 2 * liveBytes + 2 * segment;
  if (used > bound) {
    const files = disk.files().map((file) => `${file.path} ${file.bytes}`);
    throw new Violation(
      `${used} bytes on disk, with ${liveBytes} live ones: over ${bound}. ${files.join(', ')}`,
    );
  }
  if (diskBytes !== used) throw new Violation(`stats say ${diskBytes} bytes on disk, there are ${used}`);
}
