import { expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

test('a read of orders+audit creates a child, which gets every later message of orders', async () => {
  const client = server().connect();
  await fill(client, 'orders', 'before');
  expect(await client.ask('get orders+audit\r\n')).toBe(miss);
  await says(client, [[set('orders', 'x', 5), stored]]);
  await says(client, [
    ['get orders+audit\r\n', hit('orders+audit', 'x', 5)],
    ['get orders+audit\r\n', miss],
  ]);
  expect(await drain(client, 'orders')).toEqual(['before', 'x']);
});

test('parent and children are read independently', async () => {
  const client = server().connect();
  await client.ask('get q+a\r\nget q+b\r\n');
  await fill(client, 'q', '1', '2');
  await client.ask('get q+a/open\r\n');
  expect(await drain(client, 'q+a')).toEqual(['2']);
  expect(await drain(client, 'q+b')).toEqual(['1', '2']);
  expect(await drain(client, 'q')).toEqual(['1', '2']);
});

test('a waiting read creates the child too, and gets the message', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  await reader.ask('get q+a/open/t=1000\r\n');
  await fill(writer, 'q', 'x');
  expect(await reader.ask('')).toBe(hit('q+a/open/t=1000', 'x'));
});

test('a fanout-only parent keeps nothing itself, and its children get all', async () => {
  const client = server({ configuration: { queues: { q: { fanoutOnly: true } } } }).connect();
  await fill(client, 'q', 'lost: no child is there yet');
  await client.ask('get q+a\r\n');
  await fill(client, 'q', 'x');
  expect(await drain(client, 'q')).toEqual([]);
  expect(await drain(client, 'q+a')).toEqual(['x']);
});

test('a full child refuses for itself alone', async () => {
  const { connect, broker } = server({ configuration: { queues: { 'q+a': { maxItems: 1 } } } });
  const client = connect();
  await client.ask('get q+a\r\nget q+b\r\n');
  await fill(client, 'q', '1', '2');
  expect(await drain(client, 'q+a')).toEqual(['1']);
  expect(await drain(client, 'q+b')).toEqual(['1', '2']);
  expect(await drain(client, 'q')).toEqual(['1', '2']);
  expect(broker.registry.queues.get('q+a')?.refusedTotal).toBe(1);
});

test('a full parent refuses the put, and no child gets it', async () => {
  const client = server({
    configuration: { queues: { q: { maxItems: 1 }, 'q+a': { maxItems: 9 } } },
  }).connect();
  await client.ask('get q+a\r\n');
  await fill(client, 'q', '1');
  expect(await client.ask(set('q', '2'))).toBe('SERVER_ERROR out of memory storing object\r\n');
  expect(await drain(client, 'q+a')).toEqual(['1']);
});

test('a child inherits the settings of its parent, but for fanout_only', async () => {
  const client = server({ configuration: { queues: { q: { maxItems: 1, fanoutOnly: true } } } }).connect();
  await client.ask('get q+a\r\n');
  await fill(client, 'q', '1', '2');
  expect(await drain(client, 'q+a')).toEqual(['1']);
});

test('a deleted child gets nothing any more; its siblings do', async () => {
  const client = server().connect();
  await client.ask('get q+a\r\nget q+b\r\n');
  expect(await client.ask('delete q+a\r\n')).toBe('DELETED\r\n');
  await fill(client, 'q', '1');
  expect(await drain(client, 'q+b')).toEqual(['1']);
  // This read creates it anew.
  expect(await drain(client, 'q+a')).toEqual([]);
});

test('puts by several names and by aliases reach the children as well', async () => {
  const client = server({ configuration: { aliases: { all: ['q', 'p'] } } }).connect();
  await client.ask('get q+a\r\n');
  await fill(client, 'all', '1');
  await fill(client, 'p+q', '2');
  expect(await drain(client, 'q+a')).toEqual(['1', '2']);
  expect(await drain(client, 'p')).toEqual(['1', '2']);
});

test('an expired message moves to its queue without its children', async () => {
  const { connect, advance } = server({ configuration: { queues: { q: { expireToQueue: 'dead' } } } });
  const client = connect();
  await client.ask('get dead+a\r\n');
  await says(client, [[set('q', 'x', 0, 1), stored]]);
  await advance(3000);
  expect(await drain(client, 'dead+a')).toEqual([]);
  expect(await drain(client, 'dead')).toEqual(['x']);
});

test('a fanout-only parent that is written to is not idle', async () => {
  const { connect, advance, broker } = server({
    configuration: {
      queues: { q: { fanoutOnly: true, deleteWhenIdleMs: 3000 }, 'q+a': { deleteWhenIdleMs: 0 } },
    },
  });
  const client = connect();
  await client.ask('get q+a\r\n');
  for (let second = 0; second < 10; second += 1) {
    await fill(client, 'q', 'x');
    await advance(1000);
  }
  expect(broker.registry.expiredTotal).toBe(0);
  await advance(5000);
  expect(broker.registry.expiredTotal).toBe(1);
});
