import type { SimulatedClock } from './clock.ts';
import type { FailedSync } from './disk-content.ts';
import type { Random } from './random.ts';

// What a test says to the simulated disk, and what that answers with.

export type DiskOperation =
  | 'makeDirectory'
  | 'list'
  | 'open'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'lock'
  | 'write'
  | 'read'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close';

/** `power`: what was not synced may be lost. `kill`: the process dies, the machine runs on, all that was written stays. */
export type CrashKind = 'power' | 'kill';

export interface SimulatedDiskOptions {
  readonly clock: SimulatedClock;
  readonly random?: Random;
  /** Bytes that fit; more fails with ENOSPC. Default no limit. Can be changed at run time. */
  readonly capacityBytes?: number;
  /** How long things take: from and to, in simulated milliseconds. */
  readonly syncMs?: readonly [number, number];
  readonly readMs?: readonly [number, number];
  readonly directoryMs?: readonly [number, number];
  /** How often a write takes fewer bytes than asked. Default 0.02. */
  readonly shortWriteChance?: number;
  /** How often the system writes dirty pieces back by itself, per write. Default 0.05. */
  readonly writeBackChance?: number;
  /** For programs that ask for the class of what the disk throws. Default `SimulatedDiskError`. */
  readonly makeError?: (code: string, message: string) => Error;
}

/** A failure to be injected. */
export interface DiskFault {
  readonly operation: DiskOperation;
  /** Which files; default all. */
  readonly path?: (path: string) => boolean;
  /** Default `EIO`. */
  readonly code?: string;
  /** How many matching operations pass first. Default 0. */
  readonly after?: number;
  /** How many fail. Default 1; `Infinity` for good. */
  readonly times?: number;
  /** For `sync`: what becomes of the pages. Default drawn at random. */
  readonly lost?: FailedSync;
}

/** Has the shape of the storage package's `DiskError`: `code` tells. */
export class SimulatedDiskError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.name = 'DiskError';
    this.code = code;
  }
}
