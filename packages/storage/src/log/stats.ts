import type { Core } from './core.ts';
import type { Segment } from './segment.ts';
import type { LogStats } from './types.ts';

export function logStats(core: Core): LogStats {
  let diskBytes = core.reserveBytes;
  for (const segment of core.segments.values()) diskBytes += segmentBytes(segment);
  if (core.spare !== undefined) diskBytes += segmentBytes(core.spare);
  return {
    segments: core.segments.size,
    diskBytes,
    liveBytes: core.liveBytes,
    ...core.counters,
  };
}

/** Size of its file. */
export function segmentBytes(segment: Segment): number {
  return segment.end + segment.footerBytes;
}
