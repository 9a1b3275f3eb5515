import { expect, test } from 'vitest';
import { guarded, login } from '../access/support.ts';
import { fill, hit, miss, says, server, set, stored } from '../behaviour/support.ts';

test('puts over a queue’s rate are told when to come again, and then taken', async () => {
  const { connect, advance } = server();
  const client = connect();
  await says(client, [
    ['settings q max_puts_per_second=2\r\n', 'END\r\n'],
    [set('q', 'a'), stored],
    [set('q', 'b'), stored],
    [set('q', 'c'), 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    [set('q', 'c'), 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    [set('r', 'x'), stored],
  ]);
  await advance(1);
  await says(client, [
    [set('q', 'c'), stored],
    [set('q', 'd'), 'SERVER_ERROR rate limited, retry in 500 ms\r\n'],
    ['ms q 1\r\nd\r\n', 'SERVER_ERROR rate limited, retry in 500 ms\r\n'],
  ]);
  await advance(500);
  await says(client, [
    [set('q', 'd'), stored],
    ['settings q max_puts_per_second=\r\n', 'END\r\n'],
    [set('q', 'e').repeat(5), stored.repeat(5)],
  ]);
  expect(await client.ask('stats\r\n')).toContain('STAT queue_q_items 9\r\n');
});

test('bytes count, also where one message is larger than a second’s worth', async () => {
  const { connect, advance } = server();
  const client = connect();
  await says(client, [
    ['settings q max_put_bytes_per_second=1000\r\n', 'END\r\n'],
    [set('q', 'x'.repeat(3000)), stored],
    [set('q', 'x'), 'SERVER_ERROR rate limited, retry in 2001 ms\r\n'],
  ]);
  await advance(2001);
  expect(await client.ask(set('q', 'x'))).toBe(stored);
});

test('reads count by messages, and settling costs nothing', async () => {
  const { connect, advance } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b', 'c', 'd');
  await says(client, [
    ['settings q max_gets_per_second=2\r\n', 'END\r\n'],
    ['get q/open\r\n', hit('q/open', 'a')],
    ['get q/close/open\r\n', hit('q/close/open', 'b')],
    ['get q\r\n', 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    ['get q/close/open\r\n', 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    ['mg q v\r\n', 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    ['get q/close\r\n', miss],
  ]);
  await advance(1000);
  await says(client, [
    ['get q/batch=10\r\n', `${hit('q/batch=10', 'c').slice(0, -5)}${hit('q/batch=10', 'd')}`],
  ]);
});

test('a put to several queues goes into all or none, and an alias counts for what it stands for', async () => {
  const { connect } = server({ configuration: { aliases: { all: ['q', 'r'] } } });
  const client = connect();
  await says(client, [
    ['settings r max_puts_per_second=1\r\n', 'END\r\n'],
    [set('all', 'a'), stored],
    [set('all', 'b'), 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    [set('q+r', 'b'), 'SERVER_ERROR rate limited, retry in 1 ms\r\n'],
    ['get q\r\n', hit('q', 'a')],
    ['get q\r\n', miss],
  ]);
});

test('a queue that limits its connections is used by no more, until one ends', async () => {
  const { connect, broker } = server();
  const [one, two, three] = [connect(), connect(), connect()];
  const refused = 'SERVER_ERROR 2 connections use this queue, the most allowed (max_connections)\r\n';
  await says(one, [
    ['settings q max_connections=2\r\n', 'END\r\n'],
    [set('q', 'a'), stored],
  ]);
  expect(await two.ask('get q/peek\r\n')).toBe(hit('q/peek', 'a'));
  await says(three, [
    ['get q\r\n', refused],
    [set('q', 'b'), refused],
    [set('other', 'b'), stored],
  ]);
  two.hangUp();
  await two.ask('');
  expect(await three.ask('get q\r\n')).toBe(hit('q', 'a'));
  expect(broker.registry.limited.size).toBe(1);
  await one.ask('delete q\r\n');
  expect(broker.registry.limited.size).toBe(0);
});

test('a client over its rate of requests is answered later, in order, and others at once', async () => {
  const { connect, advance, host } = server({ clientLimits: { maxClientRequestsPerSecond: 10 } });
  const client = connect();
  client.send('version\r\n'.repeat(15));
  const line = 'VERSION 1.2.3\r\n';
  expect(await client.ask('')).toBe(line.repeat(10));
  for (let step = 0; step < 10; step += 1) await advance(60);
  expect(await client.ask('')).toBe(line.repeat(5));
  expect(host.counters.throttled).toBeGreaterThan(0);
});

test('a client over its rate of bytes is not read on, not even in the middle of a body', async () => {
  const { connect, advance, host } = server({ clientLimits: { maxClientBytesPerSecond: 100_000 } });
  const client = connect();
  client.send('set q 0 0 600000\r\n');
  // As a socket gives it.
  for (let piece = 0; piece < 10; piece += 1) client.send('x'.repeat(60_000));
  client.send('\r\n');
  await client.ask('');
  const read = host.counters.bytesRead;
  expect(read).toBeLessThan(250_000);
  await client.ask('');
  expect(host.counters.bytesRead).toBe(read);
  let answer = '';
  for (let second = 0; second < 8; second += 1) {
    await advance(1000);
    answer += await client.ask('');
  }
  expect(answer).toBe(stored);
});

test('a user’s connections share his rate, wherever they come from, and have a number', async () => {
  const guard = guarded({ one: ['all:*'], two: ['all:*'] });
  const { connect, host } = server({
    access: guard.access,
    clientLimits: { maxClientConnections: 2, maxClientRequestsPerSecond: 5 },
  });
  const enter = async (name: string): Promise<[string, ReturnType<typeof connect>]> => {
    const client = connect();
    return [await client.ask(login(name, guard.tokens[name]!)), client];
  };
  const [, first] = await enter('one');
  const [, second] = await enter('one');
  const [said, third] = await enter('one');
  expect(said).toBe('SERVER_ERROR too many connections of this user (max_client_connections)\r\n');
  expect(third.ended).toBe(true);
  const [, other] = await enter('two');
  const line = 'VERSION 1.2.3\r\n';
  expect(await first.ask('version\r\n'.repeat(5))).toBe(line.repeat(5));
  expect(await second.ask('version\r\n')).toBe('');
  expect(await other.ask('version\r\n')).toBe(line);
  expect(host.clients.size).toBe(3);
});

const refusedForMemory = 'SERVER_ERROR out of memory storing object\r\n';

test('half-sent bodies are bounded for all together: who has been at it longest is refused, and goes on', async () => {
  const { connect, host } = server({ inputBytesMax: 1024 * 1024, maxBodyBytes: 1024 * 1024 });
  const clients = Array.from({ length: 5 }, () => connect());
  for (const client of clients) {
    await client.ask(`set q 0 0 400000\r\n${'x'.repeat(300_000)}`);
  }
  expect(host.inputs.bytes).toBeLessThanOrEqual(1024 * 1024);
  expect(host.inputs.evicted).toBe(2);
  for (const client of clients.slice(0, 2)) {
    // The rest of the body is passed over, whatever is in it.
    expect(await client.ask('flush_all\r\n'.repeat(9_000))).toBe('');
    expect(await client.ask(`${'x'.repeat(1_000)}\r\nversion\r\n`)).toBe(
      `${refusedForMemory}VERSION 1.2.3\r\n`,
    );
    expect(client.ended).toBe(false);
  }
  for (const client of clients.slice(2)) {
    expect(await client.ask(`${'x'.repeat(100_000)}\r\n`)).toBe(stored);
  }
  expect(host.inputs.bytes).toBe(0);
});

test('a half-sent line has no end that could be found without keeping it: the connection ends', async () => {
  const { connect, host } = server({ inputBytesMax: 100_000, maxBodyBytes: 1024 * 1024 });
  const [line, body] = [connect(), connect()];
  await line.ask(`get ${'k '.repeat(20_000)}`);
  await body.ask(`set q 0 0 90000\r\n${'x'.repeat(80_000)}`);
  expect(host.inputs.evicted).toBe(1);
  expect(await line.ask('')).toBe('SERVER_ERROR out of memory reading request\r\n');
  expect(line.ended).toBe(true);
  expect(await body.ask(`${'x'.repeat(10_000)}\r\n`)).toBe(stored);
});

test('the request in work before it is still answered, and by its own answer', async () => {
  const made = server({ inputBytesMax: 20_000, maxBodyBytes: 1024 * 1024 });
  const client = made.connect();
  let synced = (): void => undefined;
  made.store.sync = () =>
    new Promise((resolve) => {
      synced = resolve;
    });
  expect(await client.ask(`${set('q/sync', 'a')}set q 0 0 90000\r\n${'x'.repeat(30_000)}`)).toBe('');
  expect(made.host.inputs.evicted).toBe(1);
  synced();
  expect(await client.ask('')).toBe(stored);
  expect(client.ended).toBe(true);
});
