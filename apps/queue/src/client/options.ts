/** What a caller of `connect` may set, and what holds otherwise. */
import type { QueueAddress } from './address.ts';
import type { Clock } from './clock.ts';
import { QueueError } from './errors.ts';

export type StateChange =
  /** Attempts are counted from 1 since the last connection that held. */
  | { readonly state: 'connecting'; readonly address: string; readonly attempt: number }
  | { readonly state: 'connected' }
  /** `retryMs`: until the next attempt. */
  | { readonly state: 'disconnected'; readonly reason: string; readonly retryMs: number }
  | { readonly state: 'closed'; readonly error: QueueError | undefined };

export interface ConnectOptions {
  /** Closes the client, or ends `connect`, when it aborts. */
  readonly signal?: AbortSignal;
  /** Told of every change of the client's main connection. */
  readonly onState?: (change: StateChange) => void;
  readonly settings?: Partial<ClientSettings>;
  /** Who this is, for a server that asks. Keep the token out of code and command lines. */
  readonly user?: string;
  readonly token?: string;
  /** Speak TLS; `true` trusts those whom the system trusts. Not over Unix sockets. */
  readonly tls?: boolean | TlsOptions;
  /** For tests: time and turns. */
  readonly clock?: Clock;
  /** For tests: numbers from 0 up to but without 1. */
  readonly random?: () => number;
}

/** PEM, as text or bytes. */
export interface TlsOptions {
  /** Whom to trust, instead of those whom the system trusts. */
  readonly ca?: string | Uint8Array;
  /** This client's own, for a server that asks for one. */
  readonly certificate?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name in the server's certificate, where it isn't the host that is connected to. */
  readonly serverName?: string;
}

/** Of one call. */
export interface CallOptions {
  /** Gives the call up. What was sent may have been carried out all the same: see the error's `sent`. */
  readonly signal?: AbortSignal;
  /** Instead of the setting `timeoutMs`. */
  readonly timeoutMs?: number;
}

export interface ClientSettings {
  /** A call's whole time, the wait for a connection included. 30 s: a server's restart fits in. */
  readonly timeoutMs: number;
  /** How long the server may be silent while it owes an answer; then the connection is given up. 15 s: a slow disk fits in. */
  readonly answerMs: number;
  /** Attempts before `connect` gives up. 1: who has just started a program wants to know. */
  readonly connectAttempts: number;
  /** Attempts before a lost connection is given up. Endless: a server's restart is no reason to end a program. */
  readonly reconnectAttempts: number;
  /** An attempt may take so long. 5 s. */
  readonly connectMs: number;
  /** The first wait before trying again is up to this, and each further one up to twice the last. 50 ms. */
  readonly retryMs: number;
  /** And no longer than this. 5 s: a server that comes back has all its clients within it, and not in one moment. */
  readonly retryMaxMs: number;
  /** A connection that lasted so long begins counting attempts anew. 5 s: one that breaks at once waits ever longer. */
  readonly stableMs: number;
  /** Calls that may wait to be sent; one more is refused with `OVERLOADED`. 10,000: a burst while a server restarts. */
  readonly waitingCalls: number;
  /** And bytes of their messages. 64 MiB. */
  readonly waitingBytes: number;
  /** Calls that may be sent without an answer. 1,024: more makes a server no faster. */
  readonly pipelineCalls: number;
  /** And bytes of their messages. 4 MiB. */
  readonly pipelineBytes: number;
  /** Largest body that is taken from a server. 64 MiB: four times what a server takes by default. */
  readonly bodyBytes: number;
  /** Connections for reads that wait and for open messages, besides the main one. 256. */
  readonly readConnections: number;
  /** How long `close` waits for answers. 5 s. */
  readonly closeMs: number;
}

export const DEFAULT_SETTINGS: ClientSettings = {
  timeoutMs: 30_000,
  answerMs: 15_000,
  connectAttempts: 1,
  reconnectAttempts: Number.POSITIVE_INFINITY,
  connectMs: 5000,
  retryMs: 50,
  retryMaxMs: 5000,
  stableMs: 5000,
  waitingCalls: 10_000,
  waitingBytes: 64 * 1024 * 1024,
  pipelineCalls: 1024,
  pipelineBytes: 4 * 1024 * 1024,
  bodyBytes: 64 * 1024 * 1024,
  readConnections: 256,
  closeMs: 5000,
};

/** Without these a client could do nothing at all. */
const AT_LEAST_ONE: readonly (keyof ClientSettings)[] = ['waitingCalls', 'pipelineCalls', 'connectAttempts'];

/** @throws QueueError `BAD_ARGUMENT` */
export function settingsOf(given: Partial<ClientSettings> | undefined): ClientSettings {
  const settings = { ...DEFAULT_SETTINGS, ...given };
  for (const [name, value] of Object.entries(settings)) {
    const least = AT_LEAST_ONE.includes(name as keyof ClientSettings) ? 1 : 0;
    if (typeof value !== 'number' || Number.isNaN(value) || value < least) {
      throw new QueueError('BAD_ARGUMENT', `the setting ${name} is a number from ${least} up`);
    }
  }
  return settings;
}

/** How a connection is protected, and what it says of itself. */
export interface LinkAccess {
  readonly credentials: { readonly user: string; readonly token: string } | undefined;
  readonly tls: TlsOptions | undefined;
}

/** @throws QueueError `BAD_ARGUMENT` */
export function accessOf({ user, token, tls }: ConnectOptions, address: QueueAddress): LinkAccess {
  if ((user === undefined) !== (token === undefined)) {
    throw new QueueError('BAD_ARGUMENT', 'user and token go together');
  }
  for (const word of [user, token]) {
    if (word !== undefined && !/^[\x21-\x7e]{1,256}$/.test(word)) {
      throw new QueueError(
        'BAD_ARGUMENT',
        'a user and a token are 1 to 256 printable characters without spaces',
      );
    }
  }
  if (tls && 'path' in address) throw new QueueError('BAD_ARGUMENT', 'there is no TLS over a Unix socket');
  return {
    credentials: user === undefined || token === undefined ? undefined : { user, token },
    tls: tls === true ? {} : tls || undefined,
  };
}

/** What each connection of a client is made of. */
export interface LinkOptions {
  readonly address: QueueAddress;
  readonly access: LinkAccess;
  readonly settings: ClientSettings;
  readonly clock: Clock;
  readonly random: () => number;
}
