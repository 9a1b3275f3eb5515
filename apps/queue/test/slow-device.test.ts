import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { queryObjects } from 'node:v8';
import { type DiskFile, nodeDisk } from '@rookery/storage';
import { type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Connection } from '../src/connection/connection.ts';
import { QueueServer, type ServerSettings } from '../src/index.ts';
import { makeCertificate } from './access/certificates.ts';

// With `sync: always`, over real sockets, whichever way the replies take to them.

let folder: TemporaryFolder;
let server: QueueServer;
let sockets: Socket[];
/** While there is one, each sync that begins waits for it. */
let device: PromiseWithResolvers<void> | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
  sockets = [];
  device = undefined;
  const { open } = nodeDisk;
  vi.spyOn(nodeDisk, 'open').mockImplementation(async (...args): Promise<DiskFile> => {
    const file = await open(...args);
    return { ...file, sync: () => device?.promise ?? file.sync() };
  });
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  device?.resolve();
  device = undefined;
  await server.stop();
  vi.restoreAllMocks();
  await folder.remove();
});

interface Client {
  send(bytes: string): void;
  received(): string;
  ended(): boolean;
}

async function client(socket: Socket, connected: string): Promise<Client> {
  sockets.push(socket);
  let received = '';
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    ended = true;
  });
  await new Promise((resolve) => socket.once(connected, resolve));
  return { send: (bytes) => void socket.write(bytes), received: () => received, ended: () => ended };
}

/** Resolves when `stats` tells so, to a client whose answers wait for nothing. */
async function seen(watcher: Client, line: string): Promise<void> {
  let from = watcher.received().length;
  watcher.send('stats\r\n');
  await waitFor(
    () => {
      const told = watcher.received().slice(from);
      if (told.includes(`STAT ${line}\r\n`)) return true;
      if (told.endsWith('\r\nEND\r\n')) {
        from += told.length;
        watcher.send('stats\r\n');
      }
      return false;
    },
    { what: line },
  );
}

async function start(more: Partial<ServerSettings> = {}): Promise<void> {
  const data = join(folder.path, 'data');
  server = new QueueServer({
    settings: { port: 0, adminPort: 0, socket: path(), data, sync: 'always', ...more },
  });
  await server.start();
}

const put = (queue: string, body: string): string => `set ${queue} 0 0 ${body.length}\r\n${body}\r\n`;

const path = (): string => join(folder.path, 'socket');
const port = (): number => server.address!.port;

describe.each([
  ['TCP', false, () => client(connect(port(), '127.0.0.1'), 'connect')],
  ['a Unix socket', false, () => client(connect(path()), 'connect')],
  [
    'TLS',
    true,
    async () => {
      const ca = await readFile(join(folder.path, 'server.crt'));
      return client(connectTls({ port: port(), host: '127.0.0.1', ca }), 'secureConnect');
    },
  ],
] as const)('over %s', (_, secured, open) => {
  beforeEach(async () => {
    const { certificate, key } = await makeCertificate(folder.path);
    await start(secured ? { tlsCertificate: certificate, tlsKey: key } : {});
  });

  /** Clients whose answers all stand on what the device has not done, and one that waits for nothing. */
  async function pipelines(): Promise<{ putter: Client; reader: Client; waiter: Client; watcher: Client }> {
    const [putter, reader, waiter, watcher] = [await open(), await open(), await open(), await open()];
    waiter.send('get awaited/t=60000\r\nversion\r\n');
    await seen(watcher, 'queue_awaited_waiters 1');
    device = Promise.withResolvers();
    putter.send(`${put('q', 'a')}${put('awaited', 'b')}get none\r\n${put('q', 'c'.repeat(20_000))}quit\r\n`);
    await seen(watcher, 'cmd_set 3');
    reader.send('get q/open\r\nget q/close\r\nget q\r\n');
    await seen(watcher, 'get_hits 3');
    return { putter, reader, waiter, watcher };
  }

  test('nothing is answered before the device has what the answer stands on', async () => {
    const { putter, reader, waiter } = await pipelines();
    expect([putter, reader, waiter].map((each) => each.received())).toEqual(['', '', '']);
    device!.resolve();
    device = undefined;
    const large = 'c'.repeat(20_000);
    const answers = [
      `STORED\r\nSTORED\r\nEND\r\nSTORED\r\n`,
      `VALUE q/open 0 1\r\na\r\nEND\r\nEND\r\nVALUE q 0 20000\r\n${large}\r\nEND\r\n`,
      `VALUE awaited/t=60000 0 1\r\nb\r\nEND\r\nVERSION 1.6.0\r\n`,
    ];
    await waitFor(
      () => [putter, reader, waiter].every((each, at) => each.received().length >= answers[at]!.length),
      { what: 'the answers' },
    );
    expect([putter, reader, waiter].map((each) => each.received())).toEqual(answers);
    await waitFor(() => putter.ended(), { what: 'the end of who quit' });
  });

  test('at a stop what was asked is answered, a put that waits for the device by itself as well', async () => {
    const [putter, watcher] = [await open(), await open()];
    device = Promise.withResolvers();
    putter.send(`${put('q', 'a')}${put('q/sync', 'b')}`);
    await seen(watcher, 'cmd_set 2');
    const stopped = server.stop();
    device.resolve();
    device = undefined;
    expect(await stopped).toBe(0);
    await waitFor(() => putter.ended(), { what: 'the end' });
    expect(putter.received()).toBe('STORED\r\nSTORED\r\n');
  });

  test('when the device fails, nothing that stood on it is answered, and the server ends', async () => {
    const { putter, reader, waiter, watcher } = await pipelines();
    device!.reject(Object.assign(new Error('broken'), { code: 'EIO' }));
    await waitFor(() => [putter, reader, waiter, watcher].every((each) => each.ended()), {
      what: 'the ends',
    });
    expect([putter, reader, waiter].map((each) => each.received())).toEqual(['', '', '']);
    expect(await server.stop()).toBe(1);
  });
});

test('clients that are cut off without their answers leave nothing behind', async () => {
  await start();
  const open = (): Promise<Client> => client(connect(port(), '127.0.0.1'), 'connect');
  const watcher = await open();
  device = Promise.withResolvers();
  for (let puts = 1; puts <= 300; puts += 1) {
    const one = await open();
    one.send(put('q', 'a'));
    if (puts % 100 === 0) await seen(watcher, `cmd_set ${puts}`);
  }
  for (const socket of sockets.splice(1)) socket.resetAndDestroy();
  await seen(watcher, 'curr_connections 1');
  await waitFor(() => Number(queryObjects(Connection)) < 100, { what: 'the connections to be forgotten' });
});
