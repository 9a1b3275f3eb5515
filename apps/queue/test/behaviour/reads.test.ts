import { describe, expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, set, stored, value } from './support.ts';

test('messages come out in the order in which they went in, each once', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b', 'c');
  expect(await drain(client, 'q')).toEqual(['a', 'b', 'c']);
});

test('an empty queue and a missing one answer the same', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  await says(client, [
    ['get q\r\n', hit('q', 'a')],
    ['get q\r\n', miss],
    ['get never-heard-of\r\n', miss],
    ['gets never-heard-of\r\n', miss],
  ]);
});

test('a read of a missing queue does not create it', async () => {
  const { connect, broker } = server();
  const client = connect();
  await client.ask('get q\r\nget q/open\r\nget q/peek\r\nget q/cursor=c\r\nget q/close\r\n');
  expect([...broker.registry.queues.keys()]).toEqual([]);
});

test('gets gives a cas, and it grows with each message', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  const seen = [await client.ask('gets q\r\n'), await client.ask('gets q\r\n')].map(
    (reply) => /^VALUE q 0 1 (\d+)\r\n[ab]\r\nEND\r\n$/.exec(reply)?.[1],
  );
  expect(Number(seen[1])).toBeGreaterThan(Number(seen[0]));
});

test('one get reads from several queues, and from one several times', async () => {
  const client = server().connect();
  await fill(client, 'a', '1', '2');
  await fill(client, 'b', '3');
  expect(await client.ask('get a b none a a\r\n')).toBe(
    `${value('a', '1')}${value('b', '3')}${value('a', '2')}END\r\n`,
  );
});

test('gat and gats read too; their time means nothing to a queue', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [['gat 10 q\r\n', hit('q', 'a')]]);
  expect(await client.ask('gats 10 q\r\n')).toMatch(/^VALUE q 0 1 \d+\r\nb\r\nEND\r\n$/);
});

test('a peek leaves the message where it is', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    ['get q/peek\r\n', hit('q/peek', 'a')],
    ['get q/peek\r\n', hit('q/peek', 'a')],
    ['get q\r\n', hit('q', 'a')],
    ['get q/peek\r\n', hit('q/peek', 'b')],
    ['get none/peek\r\n', miss],
  ]);
});

describe('options', () => {
  test('come in any order and in any case', async () => {
    const client = server().connect();
    await fill(client, 'q', 'a', 'b', 'c', 'd', 'e');
    await says(client, [
      ['get q/OPEN/T=100\r\n', hit('q/OPEN/T=100', 'a')],
      ['get q/t=100/Close/oPen\r\n', hit('q/t=100/Close/oPen', 'b')],
      ['get q/open/t=5/close\r\n', hit('q/open/t=5/close', 'c')],
      ['get q/Abort\r\n', miss],
      ['get q/T=1/PEEK\r\n', hit('q/T=1/PEEK', 'c')],
      ['GET q\r\n', hit('q', 'c')],
    ]);
  });

  test.each([
    'abort/open',
    'open/abort',
    'close/abort',
    'abort/peek',
    'peek/open',
    'peek/close',
    'close/open/peek',
  ])('%s contradict each other', async (options) => {
    const client = server().connect();
    await fill(client, 'q', 'a');
    expect(await client.ask(`get q/${options}\r\n`)).toMatch(/^CLIENT_ERROR [^\r\n]+\r\n$/);
    expect(await client.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('what is no option belongs to the name', async () => {
    const client = server().connect();
    await fill(client, 'a/b', 'x');
    await says(client, [
      ['get a\r\n', miss],
      ['get a/opne\r\n', miss],
      ['get a/t=\r\n', miss],
      ['get a/b/open\r\n', hit('a/b/open', 'x')],
      ['get a/b/close\r\n', miss],
    ]);
  });

  test('in the dialect of Kestrel an unknown option is an error, and ends the connection', async () => {
    const client = server({ dialect: 'kestrel' }).connect();
    expect(await client.ask('get a/opne\r\nversion\r\n')).toMatch(/^CLIENT_ERROR [^\r\n]+\r\n$/);
    expect(client.ended).toBe(true);
  });
});

test('a value comes back under the key that was asked for; in the dialect of Kestrel under the name of its queue', async () => {
  const memcached = server().connect();
  await fill(memcached, 'q', 'a');
  expect(await memcached.ask('get q/open\r\n')).toBe(hit('q/open', 'a'));
  const kestrel = server({ dialect: 'kestrel' }).connect();
  await fill(kestrel, 'q', 'a');
  expect(await kestrel.ask('get q/open\r\n')).toBe(hit('q', 'a'));
});

test('a refused key in a get of many ends the reply with its error; what came before is delivered', async () => {
  const client = server().connect();
  await fill(client, 'a', '1');
  expect(await client.ask('get a x/open/abort b\r\n')).toMatch(
    /^VALUE a 0 1\r\n1\r\nCLIENT_ERROR [^\r\n]+\r\n$/,
  );
});

test('an empty body is a message like any other', async () => {
  const client = server().connect();
  await says(client, [
    [set('q', ''), stored],
    ['get q/open\r\n', hit('q/open', '')],
    ['get q/close\r\n', miss],
    ['get q\r\n', miss],
  ]);
});
