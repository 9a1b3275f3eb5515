import { duplexPair } from 'node:stream';
import { Broker } from '../src/broker/broker.ts';
import type { QueueConfiguration } from '../src/broker/registry.ts';
import { Connection } from '../src/connection/connection.ts';
import type { Host } from '../src/connection/host.ts';
import { type Dialect, dialects } from '../src/dialect.ts';
import { MemoryStore } from '../src/store/memory-store.ts';
import type { Store } from '../src/store/store.ts';

/** Real time, for tests that don't care; others bring a fake clock. */
const realClock = {
  now: () => Date.now(),
  setTimeout: (callback: () => void, delayMs: number) => setTimeout(callback, delayMs),
  clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
  defer: (callback: () => void) => void setImmediate(callback),
};

export interface InMemoryOptions {
  readonly dialect?: Dialect['name'];
  readonly store?: Store;
  readonly clock?: typeof realClock;
  readonly configuration?: Partial<QueueConfiguration>;
  readonly maxOpenReads?: number;
  readonly maxQueues?: number;
  readonly maxBodyBytes?: number;
  readonly replyBytesMax?: number;
}

/** A client's end of a connection, in bytes as latin1 strings. */
export interface Client {
  /** Sends, and resolves with what came back when nothing more comes. */
  ask(bytes: string): Promise<string>;
  send(bytes: string): void;
  /** Resolves with what has come since the last call, when it is at least `length` long. */
  receive(length: number): Promise<string>;
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  hangUp(): void;
}

/** A broker with connections to it, without ports and files. */
export function inMemory(options: InMemoryOptions = {}) {
  const store = options.store ?? new MemoryStore();
  const defects: Error[] = [];
  const awaiting = new Set<Connection>();
  const broker = new Broker({
    store,
    clock: options.clock ?? realClock,
    dialect: dialects[options.dialect ?? 'memcached'],
    limits: {
      maxOpenReads: options.maxOpenReads ?? 100,
      maxQueues: options.maxQueues ?? 1000,
      maxWaits: 1000,
      maxWindowBytes: 64 * 1024 * 1024,
    },
    configuration: { defaults: {}, queues: {}, aliases: {}, ...options.configuration },
    onBackgroundError: (error) => defects.push(error),
  });
  store.onCommit = () => {
    const ready = [...awaiting];
    awaiting.clear();
    for (const connection of ready) connection.committed();
  };
  const host: Host = {
    broker,
    version: '1.2.3',
    protocolLimits: { body: options.maxBodyBytes ?? 1024 * 1024 },
    replyBytesMax: options.replyBytesMax ?? 1024 * 1024,
    counters: {
      startedAt: 0,
      connectionsMax: 10,
      currentConnections: 0,
      totalConnections: 0,
      bytesRead: 0,
      bytesWritten: 0,
    },
    awaitCommit: (connection) => awaiting.add(connection),
    ended: (connection) => awaiting.delete(connection),
    onDefect: (error) => defects.push(error),
    reload: async () => 'Reloaded config.',
    configurationLines: () => ['port=22122 (default)'],
    shutdown: () => undefined,
  };

  function connect(): Client {
    const [near, far] = duplexPair({ readableHighWaterMark: 65536, writableHighWaterMark: 65536 });
    new Connection(far, host);
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
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    return {
      send: (bytes) => void near.write(Buffer.from(bytes, 'latin1')),
      async ask(bytes) {
        near.write(Buffer.from(bytes, 'latin1'));
        await quiet();
        const reply = received;
        received = '';
        return reply;
      },
      async receive(length) {
        const deadline = Date.now() + 5000;
        while (received.length < length) {
          if (Date.now() > deadline) throw new Error(`waited for ${length} bytes, got ${JSON.stringify(received)}`);
          await quiet();
        }
        const reply = received;
        received = '';
        return reply;
      },
      get ended() {
        return ended;
      },
      hangUp: () => void near.destroy(),
    };
  }

  return { broker, store, host, connect, defects };
}
