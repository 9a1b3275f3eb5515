import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import {
  decodeClientControl,
  decodeCursor,
  encodeCursor,
  encodeDaemonControl,
  encodeRecord,
  frameOf,
} from '@rookery/protocol/websocket';
import { expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { connect } from '../../src/client/node.ts';

const strand = { ringSequence: 5, representative: 1, sender: 1 };
const WELCOME = encodeDaemonControl({
  kind: 'welcome',
  session: '#r1#h1',
  daemon: 'h1',
  version: '0.1.0',
  key: 'key',
  resumeMs: 30_000,
  messageBytes: 1024,
  groups: 100,
});

it('what was read with the last word of a daemon is not asked for again', async () => {
  const cursors: string[] = [];
  const record = encodeRecord({
    sender: '#a#h1',
    groups: ['g'],
    service: 'agreed',
    messageType: 0,
    key: '',
    selfDiscard: false,
    bigEndian: false,
    data: Buffer.from('one'),
    kept: { ...strand, order: 7, sequence: 1, timeMs: 1, groupIndex: 0 },
  });
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'rookery-bus.v1' });
  server.on('connection', (ws: WebSocket & { readonly _socket: Socket }) => {
    const cursor = encodeCursor({ floor: 0, strands: [{ ...strand, order: 6 }] });
    ws.on('message', (data) => {
      const control = decodeClientControl(String(data));
      if (control.kind === 'hello') ws.send(WELCOME);
      if (control.kind !== 'subscribe') return;
      cursors.push(typeof control.from === 'object' && 'cursor' in control.from ? control.from.cursor : '');
      const { n, group } = control;
      const place = { sequence: 0, last: 1, whole: true, cursor };
      ws.send(encodeDaemonControl({ kind: 'subscribed', d: 1, n, group, ...place }));
      ws.send(encodeDaemonControl({ kind: 'confirmed', n }));
    });
    ws.on('pong', () => {
      // In one piece: a daemon that stops says so right behind what it has just given.
      ws._socket.cork();
      ws.send(frameOf(2, [record]));
      ws.send(encodeDaemonControl({ kind: 'error', code: 'STOPPING', message: 'it stops' }));
      ws._socket.uncork();
    });
  });
  await once(server, 'listening');
  const bus = await connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    settings: { retryMs: 1 },
  });
  const subscription = await bus.subscribe('g', { from: 'start' });
  const read = subscription.next();
  for (const ws of server.clients) ws.ping();
  expect((await read).value).toMatchObject({ kind: 'message', text: 'one' });
  while (cursors.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(decodeCursor(cursors[1]!)?.strands).toMatchObject([{ ...strand, order: 7 }]);
  await bus.close();
  server.close();
});
