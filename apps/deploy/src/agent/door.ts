import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Identity, peerKey } from './identity.ts';

export interface DoorOptions {
  readonly identity: Identity;
  /** Whether somebody with this public key, in base64, is obeyed now. */
  readonly isCoordinator: (key: string) => boolean;
  readonly maxHandshakes: number;
  readonly handshakeTimeoutMs: number;
  /** Of a coordinator that has proved to have a key of these. */
  readonly onCoordinator: (socket: TLSSocket, key: string) => void;
  /** Of one with another key, or none; undefined. */
  readonly onStranger: (socket: TLSSocket, key: string | undefined) => void;
  /** Of what did not even come so far: noise, silence, another protocol. */
  readonly onNoise: (error: Error) => void;
}

export interface Door {
  readonly server: Server;
  /** How many have not proved that they are known. */
  readonly handshakes: number;
  /** Of those. */
  hangUp(): void;
}

/** Lets in who has a key that is known. Whoever hasn't proved it yet costs a bounded time, and a bounded place. */
export function createDoor(options: DoorOptions): Door {
  const { identity, isCoordinator, maxHandshakes, handshakeTimeoutMs } = options;
  /** By the other end's address; the oldest first. */
  const pending = new Map<string, Socket>();
  const server = createServer({
    ...identity.tls,
    requestCert: true,
    handshakeTimeout: handshakeTimeoutMs,
    // A coordinator that has nothing more to say still waits for its last step's result.
    allowHalfOpen: true,
  });
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    pending.set(name, socket);
    socket.once('close', () => {
      if (pending.get(name) === socket) pending.delete(name);
    });
    if (pending.size <= maxHandshakes) return;
    const [oldest] = pending.values();
    oldest!.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    socket.destroy();
    options.onNoise(error);
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    const key = peerKey(socket)?.text;
    if (key === undefined || !isCoordinator(key)) {
      // Anybody can make a key: a stranger keeps its place among those who have proved nothing until it is gone.
      options.onStranger(socket, key);
      return;
    }
    pending.delete(nameOf(socket));
    options.onCoordinator(socket, key);
  });
  return {
    server,
    get handshakes() {
      return pending.size;
    },
    hangUp() {
      for (const socket of pending.values()) socket.destroy();
    },
  };
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
