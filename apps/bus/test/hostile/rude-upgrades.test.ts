import { connect, type Socket } from 'node:net';
import { waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DaemonProcess, errorLines, startDaemon } from '../daemon-process.ts';
import { connectWebSocket } from '../websocket-client.ts';

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon({ flags: ['--handshake-timeout-ms', '3000'] });
});
afterAll(() => daemon[Symbol.asyncDispose]());

const upgrade = (path: string, headers = '') =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;

function dial(): Promise<Socket> {
  const socket = connect({ port: Number(new URL(daemon.webSocketUrl).port), host: '127.0.0.1' });
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)));
}

async function isWell(): Promise<void> {
  expect(daemon.process.exit, daemon.process.output).toBeUndefined();
  const web = await connectWebSocket(daemon.webSocketUrl);
  await web.enter('well');
  web.cut();
  expect(errorLines(daemon)).toEqual([]);
}

it('who resets the connection while its upgrade is refused harms nobody', async () => {
  for (let i = 0; i < 300; i++) {
    const socket = await dial();
    socket.write(upgrade('/elsewhere') + 'x'.repeat(i * 300));
    if (i % 3 === 0) socket.resetAndDestroy();
    else if (i % 3 === 1) socket.once('data', () => socket.resetAndDestroy());
    else setImmediate(() => socket.resetAndDestroy());
  }
  await isWell();
});

it('who is refused and does not close is closed', async () => {
  const before = await daemon.openDescriptors();
  const sockets = await Promise.all(Array.from({ length: 50 }, () => dial()));
  for (const socket of sockets) socket.write(upgrade('/elsewhere'));
  await waitFor(async () => (await daemon.openDescriptors()) <= before + 5, {
    what: 'descriptors to be released',
    everyMs: 50,
  });
  for (const socket of sockets) socket.destroy();
});

it('who says nothing, or half a request, is closed after the time for handshakes', async () => {
  const before = await daemon.openDescriptors();
  const silent = await Promise.all(Array.from({ length: 50 }, () => dial()));
  const half = await Promise.all(Array.from({ length: 50 }, () => dial()));
  for (const socket of half) socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  await waitFor(async () => (await daemon.openDescriptors()) > before + 90, { what: 'all to have come' });
  // Node's own limit for headers would be a minute.
  await waitFor(async () => (await daemon.openDescriptors()) <= before + 5, {
    what: 'descriptors to be released',
    everyMs: 50,
    withinMs: 20_000,
  });
  for (const socket of [...silent, ...half]) socket.destroy();
  await isWell();
});

it('half a request does not hold up the end of the daemon', async () => {
  const stopping = await startDaemon({ name: 'd2' });
  const port = Number(new URL(stopping.webSocketUrl).port);
  for (const bytes of ['', 'GET / HTTP/1.1\r\nHost: x\r\n', upgrade('/')]) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(bytes);
  }
  const began = performance.now();
  expect(await stopping.stop()).toBe(0);
  // Long before the stop would be forced.
  expect(performance.now() - began).toBeLessThan(15_000);
});
