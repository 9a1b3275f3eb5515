import { FRAME_HEADER } from '../format/frame.ts';
import { MOVED_FIELDS } from '../format/records.ts';
import type { LogOptions } from './types.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The defaults; the reasons stand in docs/internals/storage.md. */
const DEFAULTS = {
  segmentBytes: 64 * MIB,
  maxPayloadBytes: 16 * MIB + KIB,
  reserveBytes: 32 * MIB,
  backlogBytes: 8 * MIB,
  indexCacheBytes: 32 * MIB,
  openFiles: 128,
} as const;

/** Offsets are 32 bits wide; a segment may pass its size by what is in flight. */
const MAX_SEGMENT_BYTES = 1024 * MIB;

/** A segment gets near only if no new one can be made for gigabytes, or if its snapshot has gigabytes itself. */
export const MAX_OFFSET = 0xf000_0000;

export const MAX_NAME_BYTES = 1024;

export interface Limits {
  readonly segmentBytes: number;
  readonly maxPayloadBytes: number;
  readonly reserveBytes: number;
  readonly backlogBytes: number;
  readonly indexCacheBytes: number;
  readonly openFiles: number;
  /** In flight at most: what is left of the reserve is for acknowledgements. */
  readonly busyBytes: number;
  /** Size of a write buffer. A larger body gets one of its own. */
  readonly bufferBytes: number;
}

/**
 * However many streams there are, a segment is mostly messages: otherwise reclaim would only carry snapshots about. But
 * all of it can be addressed.
 */
export function segmentLimit(segmentBytes: number, snapshotBytes: number): number {
  return Math.min(MAX_OFFSET, Math.max(segmentBytes, snapshotBytes * 8));
}

/** @throws RangeError when the limits cannot hold together. */
export function limitsOf(options: LogOptions): Limits {
  const segmentBytes = options.segmentBytes ?? DEFAULTS.segmentBytes;
  const maxPayloadBytes = options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes;
  const backlogBytes = options.backlogBytes ?? DEFAULTS.backlogBytes;
  const inFlight = maxPayloadBytes + backlogBytes + FRAME_HEADER + MOVED_FIELDS;
  const needed = Math.ceil((inFlight * 4) / 3);
  const reserveBytes = options.reserveBytes ?? Math.max(DEFAULTS.reserveBytes, needed);
  if (reserveBytes < needed) {
    throw new RangeError(
      `reserveBytes is ${reserveBytes}; with these payloads and this backlog it must be at least ${needed}.`,
    );
  }
  if (segmentBytes > MAX_SEGMENT_BYTES || segmentBytes < 4 * KIB) {
    throw new RangeError('segmentBytes must be from 4 KiB to 1 GiB.');
  }
  return {
    segmentBytes,
    maxPayloadBytes,
    backlogBytes,
    reserveBytes,
    indexCacheBytes: options.indexCacheBytes ?? DEFAULTS.indexCacheBytes,
    openFiles: options.openFiles ?? DEFAULTS.openFiles,
    busyBytes: Math.floor((reserveBytes * 3) / 4),
    bufferBytes: Math.min(512 * KIB, Math.max(16 * KIB, segmentBytes / 4)),
  };
}
