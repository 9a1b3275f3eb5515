/** What can be set per queue. A queue inherits from the defaults, a fanout child from its parent as well. */
export interface QueueSettings {
  /** Messages waiting or open; a put over it is refused, or discards the oldest. Infinity: no limit. */
  readonly maxItems: number;
  /** Bytes of the bodies of these messages, likewise. */
  readonly maxBytes: number;
  /** Largest body; always refused, whatever `discardOldest` says. */
  readonly maxItemBytes: number;
  /** Messages older than this expire, whatever their own expiry says. 0: no limit. */
  readonly maxAgeMs: number;
  /** Bytes of bodies that the window may hold; what is beyond stays in the store until it is needed. */
  readonly maxMemoryBytes: number;
  /** When full: drop the oldest message instead of refusing the newest. */
  readonly discardOldest: boolean;
  /** Where expired messages go; undefined: nowhere. */
  readonly expireToQueue: string | undefined;
  /** A queue that is empty and was not used for so long is removed. 0: never. */
  readonly deleteWhenIdleMs: number;
  /** An open read comes back to its queue after this. 0: only with its connection. */
  readonly openReadTimeoutMs: number;
  /** The queue keeps nothing itself, it only feeds its children. */
  readonly fanoutOnly: boolean;
  /** Messages that one sweep may expire. */
  readonly maxExpireSweep: number;
  /** False: messages live in memory only and are gone at a restart. Fixed when the queue is created. */
  readonly persistent: boolean;
  /** A message that came back so often is a dead letter. 0: no limit. */
  readonly maxDeliveries: number;
  /** Where dead letters go; undefined: nowhere, they are dropped. A queue that names itself has no limit. */
  readonly deadLetterQueue: string | undefined;
  /** So long an id is known, counted from the put. 0: ids are not looked for. */
  readonly deduplicationWindowMs: number;
  /** So many ids are known at most, the last ones. */
  readonly deduplicationWindowItems: number;
  /** Puts go on, reads find nothing. */
  readonly paused: boolean;
  /** Messages put a second; what is more is told to come again. Infinity: no limit. */
  readonly maxPutsPerSecond: number;
  /** Bytes of their bodies, likewise. */
  readonly maxPutBytesPerSecond: number;
  /** Messages handed to readers a second; when there were more, reads are told to come again. */
  readonly maxGetsPerSecond: number;
  /** Connections that have used the queue and are still there. */
  readonly maxConnections: number;
  /** `always`: each put waits for the device, even where the server as a whole does not. */
  readonly sync: 'server' | 'always';
}

export const defaultQueueSettings: QueueSettings = {
  maxItems: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  maxItemBytes: Number.POSITIVE_INFINITY,
  maxAgeMs: 0,
  maxMemoryBytes: 4 * 1024 * 1024,
  discardOldest: false,
  expireToQueue: undefined,
  deleteWhenIdleMs: 0,
  openReadTimeoutMs: 0,
  fanoutOnly: false,
  // A sweep of 1,000 messages takes about a millisecond, so that no client waits for it.
  maxExpireSweep: 1000,
  persistent: true,
  maxDeliveries: 0,
  deadLetterQueue: undefined,
  // A client that has had no answer for two minutes has given up, or been told so.
  deduplicationWindowMs: 120_000,
  // Some 2 MB of memory.
  deduplicationWindowItems: 10_000,
  paused: false,
  maxPutsPerSecond: Number.POSITIVE_INFINITY,
  maxPutBytesPerSecond: Number.POSITIVE_INFINITY,
  maxGetsPerSecond: Number.POSITIVE_INFINITY,
  maxConnections: Number.POSITIVE_INFINITY,
  sync: 'server',
};
