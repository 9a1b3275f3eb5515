/** The fake daemon behind a real WebSocket server. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { FakeDaemon, type FakeOptions } from './fake-daemon.ts';

export interface FakeServer extends AsyncDisposable {
  readonly daemon: FakeDaemon;
  readonly url: string;
  /** Cuts all connections off. */
  cut(): void;
}

export async function startFakeServer(options: FakeOptions = {}): Promise<FakeServer> {
  const daemon = new FakeDaemon(options);
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: ([first]) => first ?? false,
  });
  await once(server, 'listening');
  server.on('connection', (socket: WebSocket) => {
    const connection = daemon.accept({
      send: (frame) => socket.send(frame),
      close: (code) => socket.close(code),
    });
    socket.on('message', (data: Buffer, isBinary) => connection.onFrame(isBinary ? data : data.toString()));
    socket.on('close', () => connection.onClose());
  });
  const cut = (): void => {
    for (const socket of server.clients) socket.terminate();
  };
  return {
    daemon,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
