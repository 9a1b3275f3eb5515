/** Where clients of Spread's protocol come in. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Address, closeServer, type Log, listenTcp, listenUnix, type Part } from '@rookery/service';
import { SpreadConnection, type SpreadHost } from './connection.ts';

export interface SpreadListenerOptions extends Omit<SpreadHost, 'onClose'> {
  readonly log: Log;
  readonly listen: Address;
  readonly socketPath: string | undefined;
  /** Connections at a time, silent ones included. */
  readonly maxConnections: number;
}

export interface SpreadListener extends Part {
  start(): Promise<void>;
  /** Nobody comes in any more; whoever is in has been told to go. */
  stop(): Promise<void>;
  /** Undefined before the start. */
  readonly address: Address | undefined;
  readonly connections: number;
}

export function createSpreadListener(options: SpreadListenerOptions): SpreadListener {
  const { log, listen, socketPath } = options;
  const connections = new Set<SpreadConnection>();
  const host: SpreadHost = { ...options, onClose: (connection) => connections.delete(connection) };
  const tcp = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, accept);
  const unix = socketPath === undefined ? undefined : createServer({ allowHalfOpen: true }, accept);

  function accept(socket: Socket): void {
    if (connections.size >= options.maxConnections) {
      socket.destroy();
      options.onBad('too_many_connections');
      return;
    }
    connections.add(new SpreadConnection(socket, host));
  }

  return {
    name: 'spread listener',
    async start() {
      await listenTcp(tcp, 'the bus', listen.host, listen.port);
      if (unix !== undefined) {
        try {
          await listenUnix(unix, 'the bus', socketPath!);
        } catch (error) {
          // What could not start is not stopped either: nothing of it may stay behind.
          tcp.close();
          throw error;
        }
      }
      for (const server of [tcp, unix]) {
        // Such as running out of file descriptors: those who are in stay in.
        server?.on('error', (error) => log.error({ err: error }, 'a client could not be accepted'));
      }
    },
    async stop() {
      const closed = [tcp, unix].flatMap((server) => (server?.listening ? [closeServer(server)] : []));
      for (const connection of [...connections]) connection.shut();
      await Promise.all(closed);
    },
    get address() {
      const bound = tcp.address() as AddressInfo | null;
      return bound === null ? undefined : { host: bound.address, port: bound.port };
    },
    get connections() {
      return connections.size;
    },
  };
}
