import type { Readable, Writable } from 'node:stream';
import type { Host, TransportName } from '../inventory/host.ts';

/** A way to start the host's side on a host, and to talk with it. Knows nothing of steps. */
export interface Transport {
  readonly name: TransportName;
  /**
   * Starts the host's side. A signal that is aborted ends the attempt.
   * @throws HostError `unreachable`, `host-key-changed`, `host-key-unknown`, `not-allowed`, `host-unprepared`,
   *   `protocol`; `cancelled`, `time-limit` by the signal
   */
  open(host: Host, options: { readonly signal: AbortSignal }): Promise<HostStream>;
}

/** The host's side of a deployment, running. */
export interface HostStream {
  /** What it reads. Its end is the coordinator's end: the host's side comes to its own. */
  readonly input: Writable;
  /** What it writes. */
  readonly output: Readable;
  /** Resolves when it, or the way to it, is gone, with why in one line; never rejects. */
  readonly ended: Promise<{ readonly reason: string }>;
  /** Ends it at once, as surely as the transport can; resolves as `ended` does. */
  kill(): Promise<void>;
}
