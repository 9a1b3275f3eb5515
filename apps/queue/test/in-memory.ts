import { duplexPair } from 'node:stream';
import { type Clock, systemClock } from '@rookery/storage';
import { SimulatedClock } from '@rookery/testkit';
import type { Access } from '../src/access/access.ts';
import { Broker } from '../src/broker/broker.ts';
import type { QueueConfiguration } from '../src/broker/registry.ts';
import { createArrivals } from '../src/connection/arrivals.ts';
import { Connection } from '../src/connection/connection.ts';
import type { Host } from '../src/connection/host.ts';
import { createInputs } from '../src/connection/inputs.ts';
import { createTurns, type Turns } from '../src/connection/turns.ts';
import { type Dialect, dialects } from '../src/dialect.ts';
import { MemoryStore } from '../src/store/memory-store.ts';
import type { Store } from '../src/store/store.ts';
import { type ClientLimits, createClients } from '../src/throttle/clients.ts';

export interface InMemoryOptions {
  readonly dialect?: Dialect['name'];
  readonly store?: Store;
  /** Default: real time, for tests that don't care. */
  readonly clock?: Clock;
  readonly configuration?: Partial<QueueConfiguration>;
  readonly maxOpenReads?: number;
  readonly maxQueues?: number;
  readonly maxWaits?: number;
  readonly maxWindowBytes?: number;
  readonly maxBatch?: number;
  readonly maxDelayMs?: number;
  readonly maxBodyBytes?: number;
  readonly replyBytesMax?: number;
  readonly inputBytesMax?: number;
  readonly turns?: Turns;
  readonly access?: Access;
  readonly clientLimits?: Partial<ClientLimits>;
}

/** A client's end of a connection, in bytes as latin1 strings. */
export interface Client {
  /** Sends, and resolves with what came back when nothing more comes. With '': only what has come. */
  ask(bytes: string): Promise<string>;
  send(bytes: string): void;
  /** Resolves with what has come since the last call, when it is at least `length` long. */
  receive(length: number): Promise<string>;
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  /** Bytes sent and not taken by the server. */
  readonly unsent: number;
  /** Says that it sends no more, and goes on reading. */
  end(): void;
  hangUp(): void;
  stopReading(): void;
  readOn(): void;
}

/** A broker with connections to it, without ports and files. */
export function inMemory(options: InMemoryOptions = {}) {
  const store = options.store ?? new MemoryStore();
  const clock = options.clock ?? systemClock;
  const defects: Error[] = [];
  const awaiting = new Set<Connection>();
  const broker = new Broker({
    store,
    clock,
    dialect: dialects[options.dialect ?? 'memcached'],
    limits: {
      maxOpenReads: options.maxOpenReads ?? 100,
      maxQueues: options.maxQueues ?? 1000,
      maxChildren: 100,
      maxCursors: 100,
      maxWaits: options.maxWaits ?? 1000,
      maxWindowBytes: options.maxWindowBytes ?? 64 * 1024 * 1024,
      maxBatch: options.maxBatch ?? 1000,
      maxDelayMs: options.maxDelayMs ?? 365 * 24 * 3_600_000,
    },
    configuration: { defaults: {}, queues: {}, aliases: {}, ...options.configuration },
    onBackgroundError: (error) => defects.push(error),
  });
  store.onCommit = () => {
    const ready = [...awaiting];
    awaiting.clear();
    for (const connection of ready) connection.committed();
  };
  const clients = createClients({
    maxClientConnections: 0,
    maxClientRequestsPerSecond: 0,
    maxClientBytesPerSecond: 0,
    ...options.clientLimits,
  });
  const host: Host = {
    broker,
    version: '1.2.3',
    access: options.access,
    protocolLimits: { body: options.maxBodyBytes ?? 1024 * 1024 },
    replyBytesMax: options.replyBytesMax ?? 1024 * 1024,
    counters: {
      startedAt: 0,
      connectionsMax: 10,
      currentConnections: 0,
      totalConnections: 0,
      bytesRead: 0,
      bytesWritten: 0,
      failedHandshakes: 0,
      throttled: 0,
    },
    clients,
    turns: options.turns ?? createTurns({ defer: (call) => clock.defer(call), now: () => performance.now() }),
    arrivals: createArrivals(clock),
    inputs: createInputs(options.inputBytesMax ?? 64 * 1024 * 1024),
    awaitCommit: (connection) => awaiting.add(connection),
    ended: (connection) => awaiting.delete(connection),
    onDefect: (error) => defects.push(error),
    reload: async () => 'Reloaded config.',
    configurationLines: () => ['port=22122 (default)'],
    shutdown: () => undefined,
  };

  function connect(): Client {
    const [near, far] = duplexPair({ readableHighWaterMark: 65536, writableHighWaterMark: 65536 });
    new Connection(far, host, clients.enter('local', clock.now())!);
    let received = '';
    let ended = false;
    near.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    near.on('end', () => {
      ended = true;
    });
    near.on('error', () => undefined);
    const quiet = async (): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        if (clock instanceof SimulatedClock) await clock.turn();
      }
    };
    return {
      send: (bytes) => void near.write(Buffer.from(bytes, 'latin1')),
      async ask(bytes) {
        if (bytes !== '') near.write(Buffer.from(bytes, 'latin1'));
        await quiet();
        const reply = received;
        received = '';
        return reply;
      },
      async receive(length) {
        const deadline = Date.now() + 30_000;
        while (received.length < length) {
          if (Date.now() > deadline)
            throw new Error(`waited for ${length} bytes, got ${JSON.stringify(received)}`);
          await quiet();
        }
        const reply = received;
        received = '';
        return reply;
      },
      get ended() {
        return ended;
      },
      get unsent() {
        return near.writableLength;
      },
      end: () => void near.end(),
      // As a reset does: seen also by who does not read.
      hangUp: () => void near.destroy(new Error('reset')),
      stopReading: () => void near.pause(),
      readOn: () => void near.resume(),
    };
  }

  return { broker, store, host, connect, defects };
}
