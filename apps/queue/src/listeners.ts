import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { closeServer, type Deadline, type Log, listenTcp, listenUnix, type Part } from '@rookery/service';
import { readTls, type TlsFiles } from './access/tls.ts';
import { Connection } from './connection/connection.ts';
import { directOutput } from './connection/direct-output.ts';
import type { Host } from './connection/host.ts';
import { withSharedInput } from './connection/shared-input.ts';
import { clientKeyOf } from './throttle/clients.ts';

export interface ListenersOptions {
  readonly log: Log;
  readonly host: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  readonly maxConnections: number;
  /** The TCP port speaks TLS; the Unix socket does not. */
  readonly tls: TlsFiles | undefined;
}

/** Where clients come in, and all that are in. */
export interface Listeners extends Part {
  start(): Promise<void>;
  stop(deadline: Deadline): Promise<void>;
  /** Where it listens on TCP; undefined before the start. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** Calls `committed` of each connection that asked for it. */
  committed(): void;
  /** Cuts everybody off: nothing will be committed any more, so no reply that waits can ever be sent. */
  cutOff(): void;
  awaitCommit(connection: Connection): void;
  ended(connection: Connection): void;
  /** Cuts off whose line in the file of users does not stand any more. */
  dismiss(): void;
  /** Takes the certificates as they are now; who is connected stays. @throws ServiceError `SETTING_INVALID` */
  reloadTls(): void;
}

/** What memcached answers who comes when it is full. */
const tooManyConnections = 'ERROR Too many open connections\r\n';

export function createListeners(options: ListenersOptions, host: () => Host): Listeners {
  const log = options.log.child({ part: 'listeners' });
  const connections = new Set<Connection>();
  const refused = new Set<Socket>();
  /** Each once. Who has gone meanwhile does nothing with it. */
  let awaiting: Connection[] = [];
  let stopping = false;
  /** What TLS stands on, hands shaken or not. */
  const below = new Set<Socket>();
  const socketOptions = { noDelay: true, keepAlive: true };
  const plain = { allowHalfOpen: true, pauseOnConnect: true };
  const { tls } = options;
  let secure: TlsServer | undefined;
  const tcp: Server =
    tls === undefined ? createServer({ ...socketOptions, ...plain }, acceptPlain) : acceptTls(tls);
  const unix = options.socketPath === undefined ? undefined : createServer(plain, acceptPlain);

  function acceptPlain(socket: Socket): void {
    accept(socket, false);
  }

  function accept(socket: Socket, secured: boolean): void {
    const { counters } = host();
    counters.totalConnections += 1;
    if (stopping || connections.size >= options.maxConnections) {
      refuse(socket);
      return;
    }
    const { clients, broker } = host();
    const client = clients.enter(clientKeyOf(socket.remoteAddress), broker.clock.now());
    if (client === undefined) {
      refuse(socket);
      return;
    }
    const shared = secured
      ? undefined
      : withSharedInput(socket, (buffer, length) => connection.receiveLent(buffer, length));
    const direct = secured ? undefined : directOutput(shared ?? socket, () => connection.drained());
    const connection = new Connection(shared ?? socket, host(), client, direct);
    if (shared === undefined) socket.resume();
    connections.add(connection);
    counters.currentConnections = connections.size;
  }

  function acceptTls(files: TlsFiles): Server {
    secure = createTlsServer({
      ...socketOptions,
      ...readTls(files),
      requestCert: files.clientCa !== undefined,
      handshakeTimeout: handshakeMs,
    });
    secure.on('connection', (socket: Socket) => {
      if (stopping || below.size >= options.maxConnections) socket.destroy();
      else {
        below.add(socket);
        socket.on('close', () => below.delete(socket));
      }
    });
    secure.on('secureConnection', (socket: TLSSocket) => {
      // Only now: who hangs up while hands are shaken would be waited for till the end of its time.
      socket.allowHalfOpen = true;
      accept(socket, true);
    });
    secure.on('tlsClientError', (error, socket) => {
      host().counters.failedHandshakes += 1;
      log.debug({ err: error, from: socket.remoteAddress }, 'a client could not agree on TLS');
      socket.destroy();
    });
    return secure;
  }

  /** Tells a client to come back later, and waits only a moment for it to go. */
  function refuse(socket: Socket): void {
    refused.add(socket);
    const cut = setTimeout(() => socket.destroy(), refusedLingerMs);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(cut);
      refused.delete(socket);
    });
    // What it has sent is not wanted; left unread it would turn the goodbye into a reset.
    socket.resume();
    socket.end(tooManyConnections);
  }

  function cutOff(): void {
    for (const connection of [...connections]) connection.destroy();
    for (const socket of refused) socket.destroy();
    for (const socket of below) socket.destroy();
  }

  return {
    name: 'listeners',
    async start() {
      await listenTcp(tcp, 'the queue', options.host, options.port);
      if (unix !== undefined) {
        try {
          await listenUnix(unix, 'the queue', options.socketPath!);
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
    async stop(deadline) {
      stopping = true;
      const closed = [tcp, unix].flatMap((server) => (server?.listening ? [closeServer(server)] : []));
      for (const connection of connections) connection.shut();
      // What is answered gets out, if the client reads it in time.
      const timer = setTimeout(cutOff, Math.min(deadline.remainingMs() / 2, drainMs));
      deadline.signal.addEventListener('abort', cutOff);
      await Promise.all(closed);
      clearTimeout(timer);
    },
    get address() {
      const bound = tcp.address() as AddressInfo | null;
      return bound === null ? undefined : { host: bound.address, port: bound.port };
    },
    cutOff,
    dismiss() {
      const { access } = host();
      for (const connection of [...connections]) {
        if (connection.user !== undefined && access?.stands(connection.user) === false) connection.destroy();
      }
    },
    reloadTls() {
      if (tls !== undefined) secure?.setSecureContext(readTls(tls));
    },
    committed() {
      if (awaiting.length === 0) return;
      const ready = awaiting;
      awaiting = [];
      for (const connection of ready) connection.committed();
    },
    awaitCommit(connection) {
      awaiting.push(connection);
    },
    ended(connection) {
      connections.delete(connection);
      // Where a device hangs nothing is committed, and those who give up and come back would pile up here.
      if (awaiting.length > 2 * connections.size + 16)
        awaiting = awaiting.filter((one) => connections.has(one));
      host().counters.currentConnections = connections.size;
    },
  };
}

/** One that is not let in must not hold a file descriptor for long: it came because there are too many. */
const refusedLingerMs = 1000;

/** A client far away needs less than a second. */
const handshakeMs = 10_000;

/** At a stop, clients get so long to take their last replies. */
const drainMs = 5000;
