/** What a caller of `connect` may set, and what holds otherwise. */

import type { Clock } from './clock.ts';
import { BusError } from './errors.ts';
import type { WebSocketConstructor } from './socket.ts';

export type StateChange =
  /** Attempts are counted from 1 since the last connection that held. */
  | { readonly state: 'connecting'; readonly url: string; readonly attempt: number }
  /** `resumed`: the session goes on, and nothing was lost. Otherwise it is a new one. */
  | { readonly state: 'connected'; readonly session: string; readonly resumed: boolean }
  | { readonly state: 'closed'; readonly error: BusError | undefined };

export interface ConnectOptions {
  /** Of the session: 1 to 10 characters of 0x24 to 0x7e. The daemon gives one if it is missing. */
  readonly name?: string;
  /** Shown to the daemon at each connection; a function is asked for it each time. */
  readonly token?: string | (() => string | Promise<string>);
  /** Whether views and transitions are sent. Default true. */
  readonly membership?: boolean;
  /** Closes the bus, or ends `connect`, when it aborts. */
  readonly signal?: AbortSignal;
  /** Told of every change of `bus.state`. */
  readonly onState?: (change: StateChange) => void;
  readonly settings?: Partial<ClientSettings>;
  /** Another implementation than the global one, such as that of the npm package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** For tests: time and turns. */
  readonly clock?: Clock;
  /** For tests: numbers from 0 up to but without 1. */
  readonly random?: () => number;
}

export interface ClientSettings {
  /**
   * Bytes of deliveries that the application hasn't taken and the daemon still sends; 0 for any. 4 MiB: enough for a second at
   * 4 MB/s between two looks of the application, and bearable in a browser.
   */
  readonly readWindowBytes: number;
  /**
   * Bytes of requests on their way without confirmation; what is beyond waits here, and `send` says so. 1 MiB: enough
   * for 20 MB/s at 50 ms, and half of what a daemon reads ahead when it must not take more.
   */
  readonly writeWindowBytes: number;
  /** Bytes of messages from which on a frame is sent before the turn ends. 64 KiB: more in one piece gains nothing. */
  readonly frameBytes: number;
  /** Attempts before `connect` gives up. 0, the default, is one for each URL. */
  readonly connectAttempts: number;
  /** Attempts before a lost connection is given up. Endless: a daemon's restart is no reason to end a program. */
  readonly reconnectAttempts: number;
  /** The first wait before trying again is up to this, and each further one up to twice the last. 100 ms. */
  readonly retryMs: number;
  /** And no longer than this. 10 s: a daemon that comes back has all its clients within it, and not in one moment. */
  readonly retryMaxMs: number;
  /** A connection that lasted so long begins counting attempts anew. 5 s: one that breaks at once waits ever longer. */
  readonly stableMs: number;
  /** Of several URLs, only that of the session is tried for so long. 2 s: at any other one the session is lost. */
  readonly sameDaemonMs: number;
  /** A connection without an answer to the greeting is given up. 10 s. */
  readonly handshakeMs: number;
  /** After so much silence of the daemon it is asked whether it lives. 15 s. */
  readonly silenceMs: number;
  /** And then the connection is given up without an answer. 5 s. */
  readonly answerMs: number;
  /** What the application has taken is acknowledged at least so often. 500 ms: half of what the protocol asks. */
  readonly acknowledgeMs: number;
  /** And after so many bytes, or a quarter of the window. 256 KiB: as the protocol asks. */
  readonly acknowledgeBytes: number;
  /** How long `close` waits for confirmations. 5 s. */
  readonly closeMs: number;
}

export const DEFAULT_SETTINGS: ClientSettings = {
  readWindowBytes: 4 * 1024 * 1024,
  writeWindowBytes: 1024 * 1024,
  frameBytes: 64 * 1024,
  connectAttempts: 0,
  reconnectAttempts: Number.POSITIVE_INFINITY,
  retryMs: 100,
  retryMaxMs: 10_000,
  stableMs: 5000,
  sameDaemonMs: 2000,
  handshakeMs: 10_000,
  silenceMs: 15_000,
  answerMs: 5000,
  acknowledgeMs: 500,
  acknowledgeBytes: 256 * 1024,
  closeMs: 5000,
};

/** @throws BusError `BAD_ARGUMENT` */
export function settingsOf(given: Partial<ClientSettings> | undefined): ClientSettings {
  const settings = { ...DEFAULT_SETTINGS, ...given };
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
      throw new BusError('BAD_ARGUMENT', `the setting ${name} is a number from 0 up`);
    }
  }
  if (settings.writeWindowBytes < 1) {
    throw new BusError('BAD_ARGUMENT', 'writeWindowBytes is at least 1: with none, nothing could be sent');
  }
  return settings;
}
