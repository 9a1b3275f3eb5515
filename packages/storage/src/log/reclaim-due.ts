/** When the files are too large for what lives in them. */
import type { Core } from './core.ts';

/** Sealed files may be so much larger than what lives in them, plus that part of a segment. */
const FACTOR = 1.5;
const SLACK = 0.25;

/** Whether there may be something to do: cheap enough for each commit. */
export function reclaimDue(core: Core): boolean {
  return core.deadSegments || overBound(core);
}

export function overBound(core: Core): boolean {
  const live = core.liveBytes - core.active.liveBytes;
  return core.sealedBytes > live * FACTOR + core.limits.segmentBytes * SLACK;
}
