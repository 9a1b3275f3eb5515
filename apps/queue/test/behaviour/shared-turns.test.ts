import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Connection } from '../../src/connection/connection.ts';
import { hit, server, set, stored } from './support.ts';

// Several clients of whom something comes in the same turn of the event loop: it is carried out together.

interface Client {
  readonly connection: Connection;
  /** In this turn, in the buffer that all share. */
  comes(bytes: string): void;
  received(): string;
}

function clientsOf(made: ReturnType<typeof server>): { open(): Client; turns(): Promise<void> } {
  const shared = Buffer.alloc(64 * 1024);
  return {
    open() {
      const [near, far] = duplexPair();
      const connection = new Connection(far, made.host, made.host.clients.enter('local', 0)!);
      let received = '';
      near.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
      });
      near.on('error', () => undefined);
      return {
        connection,
        comes(bytes) {
          const length = shared.write(bytes, 'latin1');
          connection.receiveLent(shared, length);
          shared.fill('#');
        },
        received: () => received,
      };
    },
    async turns() {
      for (let turn = 0; turn < 10; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        await made.advance(0);
      }
    },
  };
}

test('who is cut off by what another asks has nothing more carried out, and those behind him have', async () => {
  const made = server();
  const { open, turns } = clientsOf(made);
  const [one, gone, last] = [open(), open(), open()];
  const { put } = made.broker;
  made.broker.put = (...args) => {
    gone.connection.destroy();
    return put.apply(made.broker, args);
  };
  one.comes(set('q', 'a'));
  gone.comes(set('q', 'b').repeat(3));
  last.comes(set('q', 'c'));
  await turns();
  one.comes('get q\r\nget q\r\nget q\r\n');
  await turns();
  expect(one.received()).toBe(`${stored}${hit('q', 'a')}${hit('q', 'c')}END\r\n`);
  expect(gone.received()).toBe('');
  expect(last.received()).toBe(stored);
  expect(made.defects).toEqual([]);
});

test.each([
  ['before', true],
  ['after', false],
])('what comes %s the message that ends a wait is answered behind it', async (_, isBefore) => {
  const { open, turns } = clientsOf(server());
  const [waiter, putter] = [open(), open()];
  waiter.comes('get q/t=60000\r\n');
  await turns();
  if (isBefore) waiter.comes(`version\r\n${set('r', 'x'.repeat(20_000))}get r\r\n`);
  putter.comes(set('q', 'a'));
  if (!isBefore) waiter.comes(`version\r\n${set('r', 'x'.repeat(20_000))}get r\r\n`);
  await turns();
  expect(putter.received()).toBe(stored);
  expect(waiter.received()).toBe(
    `${hit('q/t=60000', 'a')}VERSION 1.2.3\r\n${stored}${hit('r', 'x'.repeat(20_000))}`,
  );
});

test('more than there is room for in a turn is carried out in the order in which each client sent it', async () => {
  const { open, turns } = clientsOf(server());
  const clients = [open(), open(), open()];
  const bodies = Array.from({ length: 12 }, (_, index) => String.fromCharCode(97 + index).repeat(9_000));
  for (const body of bodies) {
    for (const [at, client] of clients.entries()) client.comes(set(`q${at}`, body));
  }
  for (const [at, client] of clients.entries()) client.comes(`get q${at}\r\n`.repeat(bodies.length));
  const answers = clients.map(
    (__, at) => stored.repeat(bodies.length) + bodies.map((body) => hit(`q${at}`, body)).join(''),
  );
  // Who sends so much stands back for the others, for as long as that takes.
  for (const [at, client] of clients.entries()) {
    while (client.received().length < answers[at]!.length) await turns();
    expect(client.received() === answers[at]).toBe(true);
  }
});
