import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QueueServer } from '../src/index.ts';

let folder: TemporaryFolder;
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await folder.remove();
});

/** A client that keeps its side open whatever the server does. */
async function stubborn(port: number): Promise<{ received(): string; gone(): boolean }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let received = '';
  let gone = false;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {
    gone = true;
  });
  socket.on('close', () => {
    gone = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return {
    received: () => received,
    gone: () => {
      // The reset of a cut connection is told to who writes.
      if (!gone) socket.write('version\r\n');
      return gone;
    },
  };
}

test('who is refused for max_connections is let go of, also if it never hangs up', async () => {
  const server = new QueueServer({
    settings: { port: 0, adminPort: 0, data: folder.path, maxConnections: 1 },
  });
  await server.start();
  const { port } = server.address!;
  await stubborn(port);
  const refused = await Promise.all(Array.from({ length: 10 }, () => stubborn(port)));
  const told = 'ERROR Too many open connections\r\n';
  await waitFor(() => refused.every((client) => client.received() === told), { what: 'the refusals' });
  await waitFor(() => refused.every((client) => client.gone()), { what: 'the ends' });
  for (const socket of sockets.splice(0)) socket.destroy();
  expect(await server.stop()).toBe(0);
});

test('a Unix socket that can not be made leaves no port open', async () => {
  const server = new QueueServer({
    settings: { port: 0, adminPort: 0, data: folder.path, socket: join(folder.path, 'none', 'socket') },
  });
  await expect(server.start()).rejects.toThrow(/did not start/);
  expect(server.address).toBeUndefined();
});

test('a setting that is undefined has its default', async () => {
  const settings = { port: 0, adminPort: 0, data: folder.path, sync: undefined } as object;
  const server = new QueueServer({ settings });
  expect(server.settings.sync).toBe('always');
});
