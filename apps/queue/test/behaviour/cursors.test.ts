import { expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

test('a cursor reads along the queue and consumes nothing', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  expect(await drain(client, 'q/cursor=c')).toEqual(['a', 'b']);
  expect(await drain(client, 'q/cursor=c')).toEqual([]);
  await fill(client, 'q', 'c');
  expect(await drain(client, 'q/cursor=c')).toEqual(['c']);
  expect(await drain(client, 'q')).toEqual(['a', 'b', 'c']);
});

test('each cursor has its own position', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  expect(await client.ask('get q/cursor=one\r\n')).toBe(hit('q/cursor=one', 'a'));
  expect(await drain(client, 'q/cursor=two')).toEqual(['a', 'b']);
  expect(await drain(client, 'q/cursor=one')).toEqual(['b']);
});

test('what the queue’s own readers consumed first is skipped', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b', 'c');
  await client.ask('get q/cursor=c/peek\r\n');
  await client.ask('get q\r\nget q\r\n');
  expect(await drain(client, 'q/cursor=c')).toEqual(['c']);
});

test('what is open is still the cursor’s to see', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  await client.ask('get q/open\r\n');
  expect(await drain(client, 'q/cursor=c')).toEqual(['a']);
});

test('open, close and abort work on a cursor; at a disconnect its messages come back to it', async () => {
  const { connect } = server();
  const [client, other] = [connect(), connect()];
  await fill(client, 'q', 'a', 'b', 'c');
  await says(client, [
    ['get q/cursor=c/open\r\n', hit('q/cursor=c/open', 'a')],
    ['get q/open/cursor=c/close\r\n', hit('q/open/cursor=c/close', 'b')],
    ['get q/cursor=c/abort\r\n', miss],
    ['get q/cursor=c/open\r\n', hit('q/cursor=c/open', 'b')],
  ]);
  client.hangUp();
  await other.ask('');
  expect(await drain(other, 'q/cursor=c')).toEqual(['b', 'c']);
});

test('a cursor waits', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  await fill(writer, 'q', 'a');
  await drain(reader, 'q/cursor=c');
  expect(await reader.ask('get q/cursor=c/t=5000\r\n')).toBe('');
  await fill(writer, 'q', 'b');
  expect(await reader.ask('')).toBe(hit('q/cursor=c/t=5000', 'b'));
});

test('a waiting cursor gets a message that moves in from another queue', async () => {
  const { connect, advance } = server({ configuration: { queues: { q: { expireToQueue: 'dead' } } } });
  const [reader, writer] = [connect(), connect()];
  await fill(writer, 'dead', 'first');
  await drain(reader, 'dead/cursor=c');
  await reader.ask('get dead/cursor=c/t=60000\r\n');
  await writer.ask(set('q', 'late', 0, 1));
  await advance(3000);
  expect(await reader.ask('')).toBe(hit('dead/cursor=c/t=60000', 'late'));
});

test('an expired message is skipped', async () => {
  const { connect, jump } = server();
  const client = connect();
  await says(client, [
    [set('q', 'a', 0, 1), stored],
    [set('q', 'b'), stored],
  ]);
  await client.ask('get q/cursor=c/peek\r\n');
  jump(1000);
  expect(await drain(client, 'q/cursor=c')).toEqual(['b']);
});

test('a flush is a flush for cursors too', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await client.ask('get q/cursor=c\r\n');
  await client.ask('flush q\r\n');
  await fill(client, 'q', 'c');
  expect(await drain(client, 'q/cursor=c')).toEqual(['c']);
});

test('a cursor of a missing queue is a miss', async () => {
  const client = server().connect();
  expect(await client.ask('get q/cursor=c\r\n')).toBe(miss);
  expect(await client.ask('get q/cursor=c/t=1000\r\n')).toBe(miss);
});

test('in the dialect of Kestrel, whose names hold no dots, queue.cursor is a cursor as well', async () => {
  const client = server({ dialect: 'kestrel' }).connect();
  await fill(client, 'q', 'a');
  await says(client, [
    ['get q.c/open\r\n', hit('q', 'a')],
    ['get q.c/close\r\n', miss],
    ['get q.c\r\n', miss],
    ['get q\r\n', hit('q', 'a')],
  ]);
});

test('however a cursor and the queue’s readers take turns, its position stays one number', async () => {
  const { connect, broker } = server();
  const client = connect();
  for (let round = 0; round < 50; round += 1) {
    await fill(client, 'q', 'a', 'b');
    await client.ask('get q\r\n');
    expect(await client.ask('get q/cursor=c\r\n')).toBe(hit('q/cursor=c', 'b'));
    await client.ask('get q\r\n');
  }
  const [cursor] = broker.registry.cursorsOf(broker.registry.queues.get('q')!)!.values();
  expect(cursor?.stored.consumedThrough).toBe(100);
});

test('an older message that is still open at a cursor is not taken for consumed', async () => {
  const { connect, broker } = server();
  const [one, two] = [connect(), connect()];
  await fill(one, 'q', 'a', 'b');
  await says(one, [['get q/cursor=c/open\r\n', hit('q/cursor=c/open', 'a')]]);
  await says(two, [['get q/cursor=c\r\n', hit('q/cursor=c', 'b')]]);
  const [cursor] = broker.registry.cursorsOf(broker.registry.queues.get('q')!)!.values();
  expect(cursor?.stored.consumedThrough).toBe(0);
  await says(one, [
    ['get q/cursor=c/abort\r\n', miss],
    ['get q/cursor=c\r\n', hit('q/cursor=c', 'a')],
  ]);
});

test('a queue has a hundred cursors at most', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  for (let index = 0; index < 100; index += 1) {
    expect(await client.ask(`get q/cursor=${index}/peek\r\n`)).toBe(hit(`q/cursor=${index}/peek`, 'a'));
  }
  expect(await client.ask('get q/cursor=100/peek\r\n')).toMatch(/^SERVER_ERROR /);
});

test('a queue is not idle while somebody waits at one of its cursors', async () => {
  const { connect, advance } = server({ configuration: { defaults: { deleteWhenIdleMs: 1000 } } });
  const [reader, writer] = [connect(), connect()];
  await fill(writer, 'q', 'a');
  await reader.ask('get q/cursor=c\r\nget q\r\nget q/cursor=c/t=60000\r\n');
  await advance(10_000);
  await fill(writer, 'q', 'b');
  expect(await reader.ask('')).toBe(hit('q/cursor=c/t=60000', 'b'));
});

test('cursors come back to the store with the queue’s window, and go on where they were', async () => {
  const { connect, advance, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b', 'c');
  await client.ask('get q/cursor=c\r\n');
  await advance(10_000);
  const [cursor] = broker.registry.cursorsOf(broker.registry.queues.get('q')!)!.values();
  expect(cursor?.reader.windowSize).toBe(0);
  expect(await drain(client, 'q/cursor=c')).toEqual(['b', 'c']);
});

test('while messages of other priorities are there a cursor is refused: it would pass them by', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b', 'c');
  expect(await client.ask('get q/cursor=c/open\r\n')).toBe(hit('q/cursor=c/open', 'a'));
  await client.ask(set('q/priority=1', 'urgent'));
  const refused = 'CLIENT_ERROR a cursor reads along one order, and this queue holds priorities\r\n';
  await says(client, [
    ['get q/cursor=c\r\n', refused],
    ['get q/cursor=other\r\n', refused],
    ['get q/cursor=c/close/open\r\n', refused],
    ['get q/cursor=c/close\r\n', miss],
    ['get q\r\n', hit('q', 'urgent')],
    ['get q/cursor=c\r\n', hit('q/cursor=c', 'b')],
  ]);
});
