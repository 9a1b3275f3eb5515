import { describe, expect, test } from 'vitest';
import { drain, fill, hit, miss, server, set, stored, value } from './support.ts';

test('who asks, says quit and closes its half gets its answers', async () => {
  const { connect } = server();
  await fill(connect(), 'q', 'a');
  const client = connect();
  client.send('get q\r\nquit\r\n');
  client.end();
  expect(await client.ask('')).toBe(hit('q', 'a'));
  expect(client.ended).toBe(true);
});

test('who closes its half without quit gets its answers too', async () => {
  const { connect } = server();
  await fill(connect(), 'q', 'a');
  const client = connect();
  client.send(`get q\r\n${set('q', 'b')}`);
  client.end();
  expect(await client.ask('')).toBe(hit('q', 'a') + stored);
  expect(client.ended).toBe(true);
  expect(await drain(connect(), 'q')).toEqual(['b']);
});

test('half a command at the end is dropped', async () => {
  const { connect } = server();
  const client = connect();
  client.send('set q 0 0 10\r\nabc');
  client.end();
  expect(await client.ask('')).toBe('');
  expect(client.ended).toBe(true);
  expect(await drain(connect(), 'q')).toEqual([]);
});

test('requests behind quit are not carried out, and are not kept either', async () => {
  const { connect, host } = server();
  const client = connect();
  await fill(client, 'q', 'a');
  expect(await client.ask('quit\r\nflush_all\r\n')).toBe('');
  for (let index = 0; index < 100; index += 1) await client.ask('x'.repeat(10_000));
  expect(client.unsent).toBe(0);
  expect(host.counters.bytesRead).toBeGreaterThan(1_000_000);
  expect(await drain(connect(), 'q')).toEqual(['a']);
});

test('who keeps its half open after quit is cut off', async () => {
  const made = server();
  let ended = 0;
  made.host.ended = () => {
    ended += 1;
  };
  const client = made.connect();
  await client.ask('quit\r\n');
  await made.advance(9_000);
  expect(ended).toBe(0);
  await made.advance(2_000);
  expect(ended).toBe(1);
});

describe('a client that does not read', () => {
  const body = 'x'.repeat(10_000);

  test('is not read from either; when it reads on it gets all, in order', async () => {
    const { connect, broker } = server({ replyBytesMax: 100_000 });
    const client = connect();
    for (let index = 0; index < 20; index += 1) await fill(client, 'q', body);
    client.stopReading();
    const rounds = 500;
    for (let index = 0; index < rounds; index += 1) client.send('get q/peek\r\n');
    await client.ask('');
    expect(broker.counters.peek).toBeLessThan(60);
    client.readOn();
    const reply = hit('q/peek', body);
    expect(await client.receive(reply.length * rounds)).toBe(reply.repeat(rounds));
  });

  test('holds up nobody else', async () => {
    const { connect } = server({ replyBytesMax: 100_000 });
    const [stuck, other] = [connect(), connect()];
    for (let index = 0; index < 5; index += 1) await fill(other, 'q', body);
    stuck.stopReading();
    await stuck.ask('get q/peek\r\n'.repeat(200));
    expect(await other.ask('version\r\n')).toBe('VERSION 1.2.3\r\n');
  });

  test('can’t make one get of many keys fill the memory', async () => {
    const { connect, broker } = server({ replyBytesMax: 100_000 });
    const client = connect();
    for (let index = 0; index < 50; index += 1) await fill(client, 'q', body);
    client.stopReading();
    await client.ask(`get ${'q '.repeat(50)}\r\nversion\r\n`);
    const { items } = broker.registry.queues.get('q')!;
    expect(items).toBeGreaterThan(20);
    client.readOn();
    const reply = `${value('q', body).repeat(50)}END\r\nVERSION 1.2.3\r\n`;
    expect(await client.receive(reply.length)).toBe(reply);
  });

  test('gives back what it held when it goes', async () => {
    const { connect } = server({ replyBytesMax: 100_000 });
    const [stuck, other] = [connect(), connect()];
    for (let index = 0; index < 50; index += 1) await fill(other, 'q', `${index}${body}`);
    stuck.stopReading();
    await stuck.ask('get q/open\r\n'.repeat(50));
    stuck.hangUp();
    await other.ask('');
    expect((await drain(other, 'q')).map((found) => Number.parseInt(found, 10))).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    );
  });
});

test('a small reply buffer slows a pipeline, and does not stall it', async () => {
  const client = server({ replyBytesMax: 1024 }).connect();
  const rounds = 20_000;
  client.send('version\r\n'.repeat(rounds));
  expect(await client.receive('VERSION 1.2.3\r\n'.length * rounds)).toBe('VERSION 1.2.3\r\n'.repeat(rounds));
});

test('a defect of the server cuts off its client, carries out nothing more for it, and is told', async () => {
  const made = server();
  const [client, other] = [made.connect(), made.connect()];
  await fill(other, 'q', 'a');
  made.broker.confirm = () => {
    throw new TypeError('a bug');
  };
  await client.ask('confirm q 1\r\nget q\r\n');
  expect(made.defects.map(String)).toEqual(['TypeError: a bug']);
  expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
});

test('a disconnect in the middle of a body stores nothing', async () => {
  const { connect } = server();
  const client = connect();
  await client.ask('set q 0 0 1000\r\nabc');
  client.hangUp();
  expect(await connect().ask('get q\r\n')).toBe(miss);
});
