import { expect, test } from 'vitest';
import { SlowStore } from '../slow-store.ts';
import { fill, hit, miss, says, server, set, stored, value } from './support.ts';

test('a wait ends with END when its time is over, not before', async () => {
  const { connect, advance, broker } = server();
  const client = connect();
  expect(await client.ask('get q/t=500\r\n')).toBe('');
  await advance(499);
  expect(await client.ask('')).toBe('');
  await advance(1);
  expect(await client.ask('')).toBe(miss);
  expect(broker.waits).toBe(0);
});

test('a wait ends with the message that comes', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  expect(await reader.ask('get q/t=10000\r\n')).toBe('');
  await fill(writer, 'q', 'a');
  expect(await reader.ask('')).toBe(hit('q/t=10000', 'a'));
  expect(await writer.ask('get q\r\n')).toBe(miss);
});

test('t=0 does not wait', async () => {
  const client = server().connect();
  expect(await client.ask('get q/t=0\r\n')).toBe(miss);
});

test('a wait longer than a timer can be set lasts', async () => {
  const { connect, advance } = server();
  const client = connect();
  expect(await client.ask('get q/t=9999999999\r\n')).toBe('');
  await advance(60_000);
  expect(await client.ask('')).toBe('');
});

test('who waited first is served first', async () => {
  const { connect } = server();
  const readers = [connect(), connect(), connect()];
  for (const [index, reader] of readers.entries())
    expect(await reader.ask(`get q/t=${1000 + index}\r\n`)).toBe('');
  await fill(connect(), 'q', 'a', 'b', 'c');
  const replies = await Promise.all(readers.map((reader) => reader.ask('')));
  expect(replies).toEqual([hit('q/t=1000', 'a'), hit('q/t=1001', 'b'), hit('q/t=1002', 'c')]);
});

test('who got a message goes behind those who wait already', async () => {
  const { connect, advance } = server({ configuration: { queues: { q: { openReadTimeoutMs: 100 } } } });
  const holder = connect();
  await fill(holder, 'q', 'a', 'b', 'c');
  await holder.ask('get q/open\r\nget q/open\r\nget q/open\r\n');
  const [greedy, modest] = [connect(), connect()];
  await greedy.ask('get q/t=1000 q/t=1001\r\n');
  await modest.ask('get q/t=1000\r\n');
  // All three come back at once.
  await advance(100);
  expect(await greedy.ask('')).toBe(`${value('q/t=1000', 'a')}${value('q/t=1001', 'c')}END\r\n`);
  expect(await modest.ask('')).toBe(hit('q/t=1000', 'b'));
});

test('a wait whose client hung up takes no message', async () => {
  const { connect, broker } = server();
  const [gone, half, reader] = [connect(), connect(), connect()];
  await gone.ask('get q/t=10000\r\n');
  await half.ask('get q/t=10000\r\n');
  gone.hangUp();
  half.end();
  await reader.ask('');
  expect(broker.waits).toBe(0);
  await fill(reader, 'q', 'a');
  expect(await reader.ask('get q\r\n')).toBe(hit('q', 'a'));
});

test('that is heard also behind requests that were sent ahead', async () => {
  const { connect, broker } = server();
  const client = connect();
  await client.ask('get q/t=10000\r\nversion\r\n');
  await client.ask('version\r\n');
  client.end();
  await client.ask('');
  expect(broker.waits).toBe(0);
});

test('a wait that is begun when its client has hung up already, as it stood back for others, takes no message', async () => {
  const { connect, broker } = server();
  const [client, reader] = [connect(), connect()];
  client.send(`${'version\r\n'.repeat(2_000)}get q/t=10000\r\n`);
  client.end();
  await client.receive(2_000 * 'VERSION 1.2.3\r\n'.length);
  await client.ask('');
  expect(broker.waits).toBe(0);
  await fill(reader, 'q', 'a');
  expect(await reader.ask('get q\r\n')).toBe(hit('q', 'a'));
});

test('who has hung up and waits still gets the answers to what it asked before', async () => {
  const store = new SlowStore({ commits: 'when told' });
  const { connect, broker } = server({ store });
  const client = connect();
  client.send(`${set('q', 'a')}get none/t=60000\r\nversion\r\n`);
  client.end();
  expect(await client.ask('')).toBe('');
  expect(broker.waits).toBe(0);
  store.commit();
  expect(await client.ask('')).toBe(stored);
  expect(client.ended).toBe(true);
});

test('requests behind a wait are answered after it, in order', async () => {
  const { connect, advance } = server();
  const client = connect();
  expect(await client.ask(`get q/t=100\r\n${set('q', 'a')}get q\r\n`)).toBe('');
  await advance(100);
  expect(await client.ask('')).toBe(`${miss}${stored}${hit('q', 'a')}`);
});

test('each key of a get waits in its turn, and nothing behind it overtakes', async () => {
  const { connect, advance } = server();
  const [client, writer] = [connect(), connect()];
  expect(await client.ask('get a/t=100 b/t=100 c/t=100\r\nversion\r\n')).toBe('');
  await fill(writer, 'a', '1');
  // It still waits for b.
  expect(await client.ask('')).toBe(value('a/t=100', '1'));
  await advance(100);
  expect(await client.ask('')).toBe('');
  await advance(100);
  expect(await client.ask('')).toBe('END\r\nVERSION 1.2.3\r\n');
});

test('a wait can open its message', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  await reader.ask('get q/open/t=1000\r\n');
  await fill(writer, 'q', 'a');
  await says(reader, [
    ['', hit('q/open/t=1000', 'a')],
    ['get q/abort\r\n', miss],
    ['get q/close/open/t=10\r\n', hit('q/close/open/t=10', 'a')],
  ]);
});

test('a waiting peek sees the message and leaves it to the next', async () => {
  const { connect } = server();
  const [peeker, taker, writer] = [connect(), connect(), connect()];
  await peeker.ask('get q/peek/t=1000\r\n');
  await taker.ask('get q/t=1000\r\n');
  await fill(writer, 'q', 'a');
  expect(await peeker.ask('')).toBe(hit('q/peek/t=1000', 'a'));
  expect(await taker.ask('')).toBe(hit('q/t=1000', 'a'));
});

test('a message that is put back goes to who waits', async () => {
  const { connect } = server();
  const [holder, waiter] = [connect(), connect()];
  await fill(holder, 'q', 'a', 'b');
  await holder.ask('get q/open\r\nget q/open\r\n');
  await waiter.ask('get q/t=1000\r\n');
  holder.hangUp();
  expect(await waiter.ask('')).toBe(hit('q/t=1000', 'a'));
  expect(await waiter.ask('get q\r\n')).toBe(hit('q', 'b'));
});

test('messages that come back together reach those who wait in their order', async () => {
  const { connect } = server();
  const [holder, first, second] = [connect(), connect(), connect()];
  await fill(holder, 'q', 'a', 'b');
  // Held in the order b, a.
  await holder.ask('get q/open\r\nget q/open\r\nget q/abort\r\nget q/open\r\n');
  await first.ask('get q/t=1000\r\n');
  await second.ask('get q/t=1000\r\n');
  holder.hangUp();
  expect(await first.ask('')).toBe(hit('q/t=1000', 'a'));
  expect(await second.ask('')).toBe(hit('q/t=1000', 'b'));
});

test('deleting a queue ends the waits for it', async () => {
  const { connect } = server();
  const [reader, other] = [connect(), connect()];
  await reader.ask('get q/t=10000\r\n');
  expect(await other.ask('delete q\r\n')).toBe('DELETED\r\n');
  expect(await reader.ask('')).toBe(miss);
});

test('flushing a queue does not end the waits for it', async () => {
  const { connect } = server();
  const [reader, other] = [connect(), connect()];
  await reader.ask('get q/t=10000\r\n');
  await other.ask('flush q\r\n');
  expect(await reader.ask('')).toBe('');
  await fill(other, 'q', 'a');
  expect(await reader.ask('')).toBe(hit('q/t=10000', 'a'));
});

test('no more than max_waits reads wait', async () => {
  const { connect } = server({ maxWaits: 1 });
  const [first, second] = [connect(), connect()];
  await first.ask('get q/t=10000\r\n');
  expect(await second.ask('get q/t=10000\r\n')).toMatch(/^SERVER_ERROR .*max_waits\)\r\n$/);
  first.hangUp();
  await second.ask('');
  expect(await second.ask('get q/t=10000\r\n')).toBe('');
});

test('who is shut out by the server gets no answer to a wait', async () => {
  const { connect, broker } = server({ dialect: 'kestrel' });
  const [reader, other] = [connect(), connect()];
  await reader.ask('get q/t=10000\r\n');
  expect(await other.ask('shutdown\r\n')).toBe('');
  expect(other.ended).toBe(true);
  expect(broker.waits).toBe(1);
});

test('a wait for a queue that a reload lets go on ends with its message', async () => {
  const { connect, broker } = server({ configuration: { defaults: { paused: true } } });
  const [reader, along, writer] = [connect(), connect(), connect()];
  await fill(writer, 'q', 'a');
  await fill(writer, 'r', 'a');
  expect(await along.ask('get r/cursor=c/t=10000\r\n')).toBe('');
  expect(await reader.ask('get q/t=10000\r\n')).toBe('');
  broker.reconfigure({ defaults: {}, queues: {}, aliases: {} });
  expect(await along.ask('')).toBe(hit('r/cursor=c/t=10000', 'a'));
  expect(await reader.ask('')).toBe(hit('q/t=10000', 'a'));
});

test('a look at a paused queue is answered while others wait for it', async () => {
  const { connect } = server({ configuration: { defaults: { paused: true } } });
  const [reader, looker] = [connect(), connect()];
  await fill(looker, 'q', 'a');
  expect(await reader.ask('get q/t=10000\r\n')).toBe('');
  expect(await looker.ask('get q/peek\r\n')).toBe(hit('q/peek', 'a'));
  expect(await looker.ask('mg q\r\n')).toBe('HD\r\n');
});

test('a look at a paused queue shows what is in the store only', async () => {
  const { connect, advance, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b');
  await client.ask('pause q\r\n');
  for (const key of ['q/peek', 'q/peek/t=1000']) {
    await advance(10_000);
    expect(broker.registry.queues.get('q')?.reader.windowSize).toBe(0);
    expect(await client.ask(`get ${key}\r\n`)).toBe(hit(key, 'a'));
    expect(await client.ask('get q\r\n')).toBe(miss);
  }
});
