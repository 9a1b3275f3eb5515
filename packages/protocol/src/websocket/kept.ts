/** Where a daemon has kept a message: its place in that daemon's log, and what it is called at all daemons. */
import { getU32, getU64, putU32, putU64 } from '../bus/bytes.ts';

/**
 * What a message is called wherever it is kept: the configuration that ordered it, its place there, and who put it on
 * the ring. See docs/internals/durable.md.
 */
export interface Stamp {
  readonly ringSequence: number;
  readonly representative: number;
  /** The daemon. */
  readonly sender: number;
  readonly order: number;
}

export interface Kept extends Stamp {
  /** In the log of this daemon for the group: from 1, ascending. */
  readonly sequence: number;
  /** When a daemon that keeps the group was given it, ms since 1970. */
  readonly timeMs: number;
  /** Which of the message's groups it is kept for. */
  readonly groupIndex: number;
}

export const KEPT_BYTES = 44;

export function putKept(bytes: Uint8Array, at: number, kept: Kept): void {
  putU64(bytes, at, kept.sequence);
  putU64(bytes, at + 8, kept.timeMs);
  putU64(bytes, at + 16, kept.ringSequence);
  putU64(bytes, at + 24, kept.order);
  putU32(bytes, at + 32, kept.representative);
  putU32(bytes, at + 36, kept.sender);
  putU32(bytes, at + 40, kept.groupIndex);
}

/** The caller has checked that the bytes are there. */
export function takeKept(bytes: Uint8Array, at: number): Kept {
  return {
    sequence: getU64(bytes, at),
    timeMs: getU64(bytes, at + 8),
    ringSequence: getU64(bytes, at + 16),
    order: getU64(bytes, at + 24),
    representative: getU32(bytes, at + 32),
    sender: getU32(bytes, at + 36),
    groupIndex: getU32(bytes, at + 40),
  };
}
