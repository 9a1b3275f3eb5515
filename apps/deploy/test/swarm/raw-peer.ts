import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Bytes as a peer would send them that doesn't keep to the rules: no library would. */

export function handshake(
  infoHash: string,
  reserved: Uint8Array = Buffer.of(0, 0, 0, 0, 0, 0x10, 0, 0x04),
): Buffer {
  const peerId = Buffer.from(`-XX0000-${Math.random().toFixed(12).slice(2)}`);
  return Buffer.concat([
    Buffer.from('\x13BitTorrent protocol'),
    reserved,
    Buffer.from(infoHash, 'hex'),
    peerId,
  ]);
}

export function message(id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(payload.length + 1);
  header[4] = id;
  return Buffer.concat([header, payload]);
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at);
  return bytes;
}

export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  haveAll: 14,
  reject: 16,
  extended: 20,
} as const;

/** @param from an address of the loopback: an address may be banned */
export async function dial(port: number, from: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  // It is hung up on, which is what is wanted.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

export interface Listener extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  /** How many have dialled. */
  readonly dialled: number;
}

/** Waits to be dialled, and then does what it is told to do with whoever has dialled. */
export async function listen(behave: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get dialled() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends the same again and again, as fast as it is taken. */
export function pour(socket: Socket, bytes: Uint8Array): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', more);
  more();
}

/** Calls for each message that comes after the handshake. */
export function onMessages(socket: Socket, heard: (id: number, payload: Buffer) => void): void {
  let kept = Buffer.alloc(0);
  let greeted = false;
  socket.on('data', (part: Buffer) => {
    kept = Buffer.concat([kept, part]);
    if (!greeted && kept.length >= 68) {
      greeted = true;
      kept = kept.subarray(68);
    }
    while (greeted && kept.length >= 4 && kept.length >= 4 + kept.readUInt32BE(0)) {
      const whole = kept.subarray(4, 4 + kept.readUInt32BE(0));
      kept = kept.subarray(4 + whole.length);
      if (whole.length > 0) heard(whole[0]!, whole.subarray(1));
    }
  });
}
