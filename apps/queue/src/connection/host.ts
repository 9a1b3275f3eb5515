import type { Limits } from '@rookery/protocol/memcache';
import type { Access } from '../access/access.ts';
import type { Broker } from '../broker/broker.ts';
import type { Clients } from '../throttle/clients.ts';
import type { Arrivals } from './arrivals.ts';
import type { Connection } from './connection.ts';
import type { Inputs } from './inputs.ts';
import type { Turns } from './turns.ts';

/** What a connection needs of its server. */
export interface Host {
  readonly broker: Broker;
  readonly version: string;
  readonly protocolLimits: Partial<Limits>;
  /** Who may come in; undefined: nobody is asked. */
  readonly access: Access | undefined;
  /** Replies that a client may leave unread before its requests are left unread too. */
  readonly replyBytesMax: number;
  readonly counters: ServerCounters;
  readonly clients: Clients;
  readonly turns: Turns;
  readonly arrivals: Arrivals;
  readonly inputs: Inputs;
  /** Calls `committed` of the connection at the next commit, once. */
  awaitCommit(connection: Connection): void;
  ended(connection: Connection): void;
  /** A programming error: to be logged. */
  onDefect(error: Error): void;
  /** Reads the configuration file again; resolves with a line for the client. */
  reload(): Promise<string>;
  /** The settings in force, as lines `name=value`. */
  configurationLines(): readonly string[];
  shutdown(): void;
}

export interface ServerCounters {
  readonly startedAt: number;
  readonly connectionsMax: number;
  currentConnections: number;
  totalConnections: number;
  bytesRead: number;
  bytesWritten: number;
  /** Of TLS. */
  failedHandshakes: number;
  /** Times that a client was over its rate. */
  throttled: number;
}
