/** What the parts of one open log share: plain state, and the few functions that change what state it is in. */
import type { Clock, Timer } from '../clock.ts';
import type { Disk } from '../disk/disk.ts';
import { LogError, type LogErrorCode } from '../errors.ts';
import type { BlockCache } from './block-cache.ts';
import type { Limits } from './limits.ts';
import type { Part, Segment } from './segment.ts';
import type { LogStream } from './stream.ts';
import type { LogEvent, SyncMode } from './types.ts';

/** Bytes that stand in a write buffer and go to one place of one file. */
export interface Chunk {
  readonly segment: Segment;
  /** Place in the file of `buffer[start]`. */
  offset: number;
  readonly buffer: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  /** Where it began, before part of it was written. */
  readonly begin: number;
  start: number;
  end: number;
}

export interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}

export interface Gathering {
  /** The position at which all have come that were answered. */
  readonly target: number;
  /** Where the log was at the last look. */
  seen: number;
  /** Turns left: altogether, and until the next change comes. */
  turns: number;
  quietTurns: number;
}

/** Background work of one kind: never two at a time, poked whenever there may be something to do. */
export interface Worker {
  poke(): void;
}

export interface Counters {
  appendedRecords: number;
  writtenBytes: number;
  writes: number;
  syncs: number;
  carriedBytes: number;
  removedSegments: number;
  damagedRecords: number;
}

export interface Core {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly directory: string;
  readonly sync: SyncMode;
  readonly limits: Limits;
  identity: Uint8Array;
  readonly onCommit: (position: number) => void;
  readonly onEvent: (event: LogEvent) => void;

  state: 'open' | 'closing' | 'failed' | 'closed';
  /** What `state`, `full` and `exhausted` say together, as one look on the hot path. */
  appendsRefused: boolean;
  changesRefused: boolean;

  /** All but the spare, by number, ascending. */
  readonly segments: Map<number, Segment>;
  active: Segment;
  /** Made and synced ahead of time, so that no append waits for a file. */
  spare: Segment | undefined;
  nextSegment: number;
  /**
   * Dropped segments and the attempt whose copies count, as long as the file might come back or copies of another
   * attempt are about: told again in each snapshot.
   */
  readonly dropped: Map<number, number>;

  /** By number of the stream. */
  readonly streams: Map<number, LogStream>;
  readonly byName: Map<string, LogStream>;
  nextStreamId: number;
  /** Streams that recovery gave a name: their births are to be written. */
  orphans: LogStream[];
  /** Streams whose removal was lost, though their names were used again: it is to be written once more. */
  superseded: number[];
  /** Streams with acknowledgements that no record tells of yet. */
  marked: LogStream[];

  /** Not yet written, oldest first; the last one is being filled. */
  chunks: Chunk[];
  chunk: Chunk | undefined;
  pendingBytes: number;
  scheduled: boolean;

  position: number;
  writtenPosition: number;
  syncedPosition: number;
  committedPosition: number;
  syncing: boolean;
  /** With `always`, after a sync: the next waits a little for those who were just answered. */
  gathering: Gathering | undefined;
  dirty: Segment[];
  readonly waiters: Waiter[];
  syncTimer: Timer | undefined;

  full: boolean;
  /** The write of a batch stopped for want of space and waits to go on. */
  stalled: boolean;
  /** Even without the reserve there is no room. */
  exhausted: boolean;
  reserveBytes: number;

  liveBytes: number;
  /** Files of sealed segments. */
  sealedBytes: number;
  /** In some sealed segment nothing may live any more. */
  deadSegments: boolean;
  /** Records whose share of the live bytes is to be counted anew; see accounting.ts. */
  readonly recounts: Set<Part>;
  readonly cache: BlockCache;
  readonly counters: Counters;
  workers: Workers;
  readonly tasks: Set<Promise<void>>;
  readonly sleepers: Set<() => void>;
  /** The files were let go of: a read that is still under way closes what it uses itself. */
  filesClosed: boolean;
}

export interface Workers {
  readonly spare: Worker;
  readonly snapshot: Worker;
  readonly seal: Worker;
  readonly reclaim: Worker;
  readonly recount: Worker;
  readonly space: Worker;
}

export function makeWorker(core: Core, work: (core: Core) => Promise<void>): Worker {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    try {
      do {
        again = false;
        // First of all the turn ends: whoever poked is in the middle of something.
        await turn(core);
        if (core.state === 'open') await work(core);
      } while (again && core.state === 'open');
    } catch (error) {
      // What a worker can live with it handles itself; after a failure or at the close all of them are turned away.
      if (core.state === 'open') fail(core, error as Error);
    } finally {
      running = false;
    }
  };
  return {
    poke() {
      again = true;
      if (running || core.state !== 'open') return;
      running = true;
      track(core, run());
    },
  };
}

/** Resolves at the end of this turn, when the input that is ready has been read. */
export function turn(core: Core): Promise<void> {
  return new Promise((resolve) => core.clock.defer(resolve));
}

/** Resolves after the time, or sooner when `wake` is called. */
export function sleep(core: Core, delayMs: number): Promise<void> {
  if (core.state !== 'open') return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      core.clock.clearTimeout(timer);
      core.sleepers.delete(done);
      resolve();
    };
    const timer = core.clock.setTimeout(done, delayMs);
    core.sleepers.add(done);
  });
}

export function wake(core: Core): void {
  for (const done of [...core.sleepers]) done();
}

/** Nothing is committed after this: what the device holds is unknown, and asking again could be answered with a lie. */
export function fail(core: Core, error: Error): void {
  if (core.state === 'failed' || core.state === 'closed') return;
  core.state = 'failed';
  updateRefusals(core);
  stopTimers(core);
  rejectWaiters(core, 'log-failed', error);
  syncLast(core);
  core.onEvent({ type: 'failed', error });
}

/**
 * What was committed before a write failed, or found no room at the close, was promised to be on the device some time
 * later: this keeps the promise. Nothing hangs on how it ends, for nothing more is committed.
 */
export function syncLast(core: Core): void {
  for (const segment of core.dirty) {
    if (segment.file === undefined) continue;
    track(
      core,
      segment.file.sync().catch(() => undefined),
    );
  }
}

/** The close waits for it: no file is closed under a call. The work must not reject. */
export function track(core: Core, work: Promise<void>): void {
  core.tasks.add(work);
  void work.then(() => core.tasks.delete(work));
}

export function stopTimers(core: Core): void {
  if (core.syncTimer !== undefined) core.clock.clearTimeout(core.syncTimer);
  core.syncTimer = undefined;
  wake(core);
}

export function rejectWaiters(core: Core, code: LogErrorCode, cause?: Error): void {
  for (const waiter of core.waiters.splice(0)) {
    waiter.reject(new LogError(code, refusalText(code), cause === undefined ? undefined : { cause }));
  }
}

export function updateRefusals(core: Core): void {
  core.changesRefused = core.state !== 'open' || core.exhausted;
  core.appendsRefused = core.changesRefused || core.full;
}

/** Why appends (or all changes) are refused just now. */
export function refusal(core: Core): LogError {
  const code = core.state === 'failed' ? 'log-failed' : core.state === 'open' ? 'log-full' : 'log-closed';
  return new LogError(code, refusalText(code));
}

function refusalText(code: LogErrorCode): string {
  if (code === 'log-failed') return 'The log stopped after a write or a sync failed; open it anew.';
  if (code === 'log-full') return 'The disk is full; free some space and the log goes on by itself.';
  return 'The log is closed.';
}
