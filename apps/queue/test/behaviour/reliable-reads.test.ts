import { describe, expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server, value } from './support.ts';

test('an open message is nobody else’s; closed, it never comes again', async () => {
  const { connect } = server();
  const [client, other] = [connect(), connect()];
  await fill(client, 'q', 'a');
  await says(client, [['get q/open\r\n', hit('q/open', 'a')]]);
  await says(other, [
    ['get q\r\n', miss],
    ['get q/close\r\n', miss],
    ['get q/abort\r\n', miss],
  ]);
  await says(client, [['get q/close\r\n', miss]]);
  client.hangUp();
  expect(await other.ask('get q\r\n')).toBe(miss);
});

test('close with nothing open is fine, and so is abort', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  await says(client, [
    ['get q/close\r\n', miss],
    ['get q/abort\r\n', miss],
    ['get none/close\r\n', miss],
    ['get q/close/open\r\n', hit('q/close/open', 'a')],
  ]);
});

test('close/open acknowledges the last and takes the next', async () => {
  const { connect } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    ['get q/open\r\n', hit('q/open', 'a')],
    ['get q/close/open\r\n', hit('q/close/open', 'b')],
    ['get q/close/open\r\n', miss],
  ]);
  client.hangUp();
  expect(await drain(connect(), 'q')).toEqual([]);
});

test('abort puts the message back to the head', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    ['get q/open\r\n', hit('q/open', 'a')],
    ['get q/abort\r\n', miss],
    ['get q\r\n', hit('q', 'a')],
    ['get q\r\n', hit('q', 'b')],
  ]);
});

test('one connection holds several; close and abort take the oldest', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b', 'c');
  await says(client, [
    [
      'get q/open\r\nget q/open\r\nget q/open\r\n',
      ['a', 'b', 'c'].map((body) => hit('q/open', body)).join(''),
    ],
    ['get q/close\r\n', miss],
    ['get q/abort\r\n', miss],
    ['get q\r\n', hit('q', 'b')],
    ['get q/abort\r\n', miss],
    ['get q\r\n', hit('q', 'c')],
    ['get q\r\n', miss],
  ]);
});

test('each queue has its own', async () => {
  const client = server().connect();
  await fill(client, 'a', '1');
  await fill(client, 'b', '2');
  await says(client, [
    ['get a/open b/open\r\n', `${value('a/open', '1')}${value('b/open', '2')}END\r\n`],
    ['get b/close\r\n', miss],
    ['get a/abort\r\n', miss],
    ['get b\r\n', miss],
    ['get a\r\n', hit('a', '1')],
  ]);
});

describe('at a disconnect', () => {
  const ways = { 'hung up': 'hangUp', 'half closed': 'end' } as const;
  for (const [name, way] of Object.entries(ways)) {
    test(`(${name}) open messages come back in their original order, before all others`, async () => {
      const { connect } = server();
      const [client, other] = [connect(), connect()];
      await fill(client, 'q', 'a', 'b', 'c', 'd');
      await client.ask('get q/open\r\nget q/open\r\nget q/open\r\n');
      client[way]();
      await client.ask('');
      expect(await drain(other, 'q')).toEqual(['a', 'b', 'c', 'd']);
    });
  }

  test('those of several clients come back in the order of the queue, not of the clients', async () => {
    const { connect } = server();
    const [one, two, other] = [connect(), connect(), connect()];
    await fill(other, 'q', 'a', 'b', 'c', 'd', 'e');
    await one.ask('get q/open\r\n');
    await two.ask('get q/open\r\n');
    await one.ask('get q/open\r\n');
    await two.ask('get q/open\r\n');
    two.hangUp();
    await other.ask('');
    one.hangUp();
    await other.ask('');
    expect(await drain(other, 'q')).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('quit gives them back too, though the client keeps its end open', async () => {
    const { connect } = server();
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\nquit\r\n');
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
  });
});

describe('a limit of open reads', () => {
  test('refuses one too many and keeps the rest', async () => {
    const client = server({ maxOpenReads: 2 }).connect();
    await fill(client, 'q', 'a', 'b', 'c');
    await client.ask('get q/open\r\nget q/open\r\n');
    expect(await client.ask('get q/open\r\n')).toMatch(/^SERVER_ERROR .*max_open_reads\)\r\n$/);
    await says(client, [
      ['get q/close/open\r\n', hit('q/close/open', 'c')],
      ['get q\r\n', miss],
    ]);
  });

  test('counts all queues of the connection', async () => {
    const client = server({ maxOpenReads: 1 }).connect();
    await fill(client, 'a', '1');
    await fill(client, 'b', '2');
    await client.ask('get a/open\r\n');
    expect(await client.ask('get b/open\r\n')).toMatch(/^SERVER_ERROR /);
  });

  test('in the dialect of Kestrel answers ERROR, ends the connection, and all comes back', async () => {
    const { connect } = server({ dialect: 'kestrel', maxOpenReads: 1 });
    const client = connect();
    await fill(client, 'q', 'a', 'b');
    expect(await client.ask('get q/open\r\nget q/open\r\n')).toBe(`${hit('q', 'a')}ERROR\r\n`);
    expect(client.ended).toBe(true);
    expect(await drain(connect(), 'q')).toEqual(['a', 'b']);
  });

  test('does not count what timed out', async () => {
    const { connect, advance } = server({
      maxOpenReads: 1,
      configuration: { defaults: { openReadTimeoutMs: 1000 } },
    });
    const client = connect();
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await advance(1000);
    expect(await client.ask('get q/open\r\n')).toBe(hit('q/open', 'a'));
  });
});

test('a plain get while a read is open: fine, but ERROR and the end in the dialect of Kestrel', async () => {
  const memcached = server().connect();
  await fill(memcached, 'q', 'a', 'b');
  expect(await memcached.ask('get q/open\r\nget q\r\n')).toBe(hit('q/open', 'a') + hit('q', 'b'));

  const kestrel = server({ dialect: 'kestrel' }).connect();
  await fill(kestrel, 'q', 'a', 'b');
  await fill(kestrel, 'p', 'x');
  await says(kestrel, [
    ['get q/open\r\n', hit('q', 'a')],
    // Another queue, or only a look, is fine.
    ['get p\r\n', hit('p', 'x')],
    ['get q/peek\r\n', hit('q', 'b')],
    ['get q\r\n', 'ERROR\r\n'],
  ]);
  expect(kestrel.ended).toBe(true);
});

describe('open_read_timeout', () => {
  test('gives the message back to a waiting reader, on an otherwise empty queue, without anybody asking', async () => {
    const { connect, advance } = server({ configuration: { queues: { q: { openReadTimeoutMs: 5000 } } } });
    const [client, waiter] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await waiter.ask('get q/t=60000\r\n');
    await advance(4999);
    expect(await waiter.ask('')).toBe('');
    await advance(1);
    expect(await waiter.ask('')).toBe(hit('q/t=60000', 'a'));
    // Too late.
    expect(await client.ask('get q/close\r\n')).toBe(miss);
  });

  test('is the time of each read, not of the first or the last', async () => {
    const { connect, advance } = server({ configuration: { queues: { q: { openReadTimeoutMs: 1000 } } } });
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a', 'b');
    await client.ask('get q/open\r\n');
    await advance(600);
    await client.ask('get q/open\r\n');
    await advance(400);
    await says(other, [
      ['get q\r\n', hit('q', 'a')],
      ['get q\r\n', miss],
    ]);
    await advance(600);
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'b'));
  });

  test('starts anew with touch', async () => {
    const { connect, advance } = server({ configuration: { queues: { q: { openReadTimeoutMs: 1000 } } } });
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await advance(900);
    expect(await client.ask('touch q 0\r\n')).toBe('TOUCHED\r\n');
    await advance(900);
    expect(await other.ask('get q\r\n')).toBe(miss);
    await advance(100);
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
    expect(await client.ask('touch q 0\r\n')).toBe('NOT_FOUND\r\n');
  });

  test('that comes with a reload holds for what is open already', async () => {
    const { connect, advance, broker } = server();
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    broker.reconfigure({ defaults: { openReadTimeoutMs: 3000 }, queues: {}, aliases: {} });
    await advance(4100);
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('longer than a timer can be set lasts', async () => {
    const { connect, advance } = server({ configuration: { defaults: { openReadTimeoutMs: 2 ** 40 } } });
    const [client, other] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await advance(10_000);
    expect(await other.ask('get q\r\n')).toBe(miss);
  });
});

test('a flush drops open messages too: aborted, they don’t come back', async () => {
  const { connect } = server();
  const [client, other] = [connect(), connect()];
  await fill(client, 'q', 'a', 'b');
  await client.ask('get q/open\r\n');
  await other.ask('flush q\r\n');
  await fill(other, 'q', 'c');
  await says(client, [
    ['get q/abort\r\n', miss],
    ['get q\r\n', hit('q', 'c')],
    ['get q\r\n', miss],
  ]);
});

test('a deleted queue forgets its open messages; a new one of that name is another', async () => {
  const { connect } = server();
  const client = connect();
  await fill(client, 'q', 'a');
  await client.ask('get q/open\r\n');
  expect(await client.ask('delete q\r\n')).toBe('DELETED\r\n');
  await fill(client, 'q', 'b');
  await says(client, [
    ['get q/close\r\n', miss],
    ['get q\r\n', hit('q', 'b')],
    ['get q\r\n', miss],
  ]);
});
