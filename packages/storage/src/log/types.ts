import type { Clock } from '../clock.ts';
import type { Disk } from '../disk/disk.ts';

/** `always`: a commit means on the device. `{ everyMs }`: on the device at the latest so much later. `never`: left to the system. */
export type SyncMode = 'always' | 'never' | { readonly everyMs: number };

export interface LogOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly sync: SyncMode;
  readonly clock?: Clock;
  /** Size at which a segment is sealed. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Largest payload of a record. Default 16 MiB + 1 KiB. */
  readonly maxPayloadBytes?: number;
  /** Space kept back for a full disk. Default 32 MiB; at least the largest payload + the backlog + 1/4 of itself. */
  readonly reserveBytes?: number;
  /** Bytes in flight over which `Log.congested` is true. Default 8 MiB. */
  readonly backlogBytes?: number;
  /** Bound of the cache of sealed indexes. Default 32 MiB. */
  readonly indexCacheBytes?: number;
  /** Sealed segments whose files stay open. Default 128. */
  readonly openFiles?: number;
  /** Where the identity of a new log comes from. Default node:crypto; only a simulator needs another. */
  readonly randomBytes?: (size: number) => Uint8Array;
  /** Called once per group commit, synchronously, when all up to `position` is as durable as the mode promises. */
  readonly onCommit?: (position: number) => void;
  /** Told what an operator should know. */
  readonly onEvent?: (event: LogEvent) => void;
}

/** What a log tells its owner, beside the replies to calls. */
export type LogEvent =
  | {
      readonly type: 'recovered';
      readonly segments: number;
      readonly scannedBytes: number;
      readonly records: number;
      readonly durationMs: number;
    }
  | { readonly type: 'torn-tail'; readonly segment: number; readonly offset: number; readonly bytes: number }
  | {
      readonly type: 'damaged';
      readonly segment: number;
      readonly offset: number;
      readonly bytes: number;
      readonly quarantinePath: string;
    }
  | { readonly type: 'full' }
  | { readonly type: 'writable' }
  | { readonly type: 'segment-sealed'; readonly segment: number; readonly bytes: number }
  | { readonly type: 'segment-removed'; readonly segment: number; readonly carriedBytes: number }
  /** A write or a sync failed: nothing more is committed; the owner ends the process. */
  | { readonly type: 'failed'; readonly error: Error };

/** One record, as the log knows it: keep it to acknowledge it. */
export interface Place {
  readonly sequence: number;
  /** Bytes of the payload. */
  readonly size: number;
  /** Opaque to all but the log: which part of which segment holds it. */
  readonly part: unknown;
}

/**
 * One record where it lies in memory: the payload is `buffer[start, end)`. The bytes are shared with the log:
 * read them, never write them.
 */
export interface Entry extends Place {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Makes what stands for a record whose payload is `buffer[start, end)`: an owner that has objects of its own for its
 * messages gives one that makes those, and they take the place of entries. Its `size` is `end - start`.
 */
export type MakeEntry<E extends Place> = (
  sequence: number,
  buffer: Buffer,
  start: number,
  end: number,
  part: unknown,
) => E;

export interface Stream {
  readonly id: number;
  readonly name: string;
  /** What the owner stored with the stream, such as its settings. */
  readonly attributes: Uint8Array;
  /** The sequence that the next append will get. The first is 1. */
  readonly nextSequence: number;
  /** Records not acknowledged, and their payload bytes. */
  readonly liveCount: number;
  readonly livePayloadBytes: number;

  /**
   * Appends one record whose payload is `head` followed by `body[bodyStart, bodyEnd)`; both are copied.
   * With `moved`, the same record acknowledges an entry of another stream: both happen or neither.
   * @throws LogError `log-full`, `log-busy`, `log-failed`, `log-closed`, `payload-too-large`, `stream-removed`
   */
  append<E extends Place = Entry>(
    head: Uint8Array,
    body: Uint8Array,
    bodyStart: number,
    bodyEnd: number,
    moved?: { readonly stream: Stream; readonly entry: Place },
    make?: MakeEntry<E>,
  ): E;

  /**
   * Entries with a sequence above `afterSequence` that are not acknowledged, in order; at least one if there is one
   * (also when it is larger than `maxBytes`), otherwise an empty list. A damaged record is set aside, told and skipped.
   * @throws LogError `read-failed`
   */
  read<E extends Place = Entry>(
    afterSequence: number,
    limit: { readonly maxEntries: number; readonly maxBytes: number },
    make?: MakeEntry<E>,
  ): Promise<E[]>;

  /**
   * Whether an entry of this sequence was ever appended and not lost again: it is there or was acknowledged.
   * @throws LogError `read-failed`
   */
  has(sequence: number): Promise<boolean>;

  /** Marks an entry of this stream as consumed; recorded with the next batch. A second time is nothing. @throws LogError `log-full`, `log-failed`, `log-closed` */
  acknowledge(entry: Place): void;
  /** Marks all up to the sequence, of whatever was appended so far, as consumed. */
  acknowledgeThrough(sequence: number): void;
  /** Marks `first` to `last`, of whatever was appended so far, as consumed. */
  acknowledgeRange(first: number, last: number): void;
  /** For a stream that only keeps a cursor over another one's sequences: marks a sequence without an entry. */
  acknowledgeSequence(sequence: number): void;
  /** The same for all sequences up to this one, whether or not there ever was an entry. */
  acknowledgeSequencesThrough(sequence: number): void;
  /** All sequences up to this one are acknowledged; 0 if the first isn't. */
  readonly acknowledgedThrough: number;
  isAcknowledged(sequence: number): boolean;

  setAttributes(attributes: Uint8Array): void;
  /** Removes the stream with all it holds; its number is never used again. */
  remove(): void;
}

export interface LogStats {
  readonly segments: number;
  /** Bytes of all files, the reserve included. */
  readonly diskBytes: number;
  /** Whole frames of unacknowledged records. */
  readonly liveBytes: number;
  readonly appendedRecords: number;
  readonly writtenBytes: number;
  readonly writes: number;
  readonly syncs: number;
  readonly carriedBytes: number;
  readonly removedSegments: number;
  readonly damagedRecords: number;
}

export interface Log {
  /** Live streams by name. */
  readonly streams: ReadonlyMap<string, Stream>;
  /** Counts every append, acknowledgement and other change, in order. A reply waits for the position after its change. */
  readonly position: number;
  readonly committedPosition: number;
  /** Appends are refused for want of space. */
  readonly full: boolean;
  /** More is in flight than `backlogBytes`: read no more input until the next commit. */
  readonly congested: boolean;
  /** Bytes that may be in flight at most: what is appended at a time and is more can't ever succeed. */
  readonly maxInFlightBytes: number;
  readonly stats: LogStats;

  /** @throws LogError `stream-exists`, `name-too-long` (over 1,024 bytes as UTF-8), `log-full`, `log-failed`, `log-closed` */
  createStream(name: string, attributes?: Uint8Array): Stream;
  /** Resolves when all that was appended before the call is on the device, whatever the mode. */
  sync(): Promise<void>;
  /** Writes and syncs all, stops the timers, lets go of the lock. */
  close(): Promise<void>;
}
