import { expect, test } from 'vitest';
import { drain, fill, hit, miss, says, server } from './support.ts';

test('monitor hands over what is there, each an open read, then what comes, then END', async () => {
  const { connect, advance } = server();
  const [reader, writer] = [connect(), connect()];
  await fill(writer, 'q', 'a', 'b');
  expect(await reader.ask('monitor q 10\r\n')).toBe(hit('q', 'a') + hit('q', 'b'));
  await advance(5000);
  await fill(writer, 'q', 'c');
  expect(await reader.ask('')).toBe(hit('q', 'c'));
  await advance(4999);
  expect(await reader.ask('')).toBe('');
  await advance(1);
  expect(await reader.ask('')).toBe('END\r\n');
  reader.hangUp();
  await writer.ask('');
  expect(await drain(writer, 'q')).toEqual(['a', 'b', 'c']);
});

test('monitor ends after MAX messages', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  await fill(writer, 'q', 'a');
  expect(await reader.ask('monitor q 10 2\r\nversion\r\n')).toBe(hit('q', 'a'));
  await fill(writer, 'q', 'b', 'c');
  expect(await reader.ask('')).toBe(`${hit('q', 'b')}END\r\nVERSION 1.2.3\r\n`);
  expect(await drain(writer, 'q')).toEqual(['c']);
});

test('monitor for no time at all hands over what is there', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  expect(await client.ask('monitor q 0\r\n')).toBe(`${hit('q', 'a')}${hit('q', 'b')}END\r\n`);
  expect(await client.ask('monitor q 0\r\n')).toBe('END\r\n');
});

test('monitor ends when the connection holds as many open reads as it may', async () => {
  const client = server({ maxOpenReads: 2 }).connect();
  await fill(client, 'q', 'a', 'b', 'c');
  expect(await client.ask('monitor q 10\r\n')).toBe(`${hit('q', 'a')}${hit('q', 'b')}END\r\n`);
});

test('two that monitor one queue take turns', async () => {
  const { connect } = server();
  const [one, two, writer] = [connect(), connect(), connect()];
  await one.ask('monitor q 10\r\n');
  await two.ask('monitor q 10\r\n');
  await fill(writer, 'q', 'a', 'b', 'c', 'd');
  expect(await one.ask('')).toBe(hit('q', 'a') + hit('q', 'c'));
  expect(await two.ask('')).toBe(hit('q', 'b') + hit('q', 'd'));
});

test('who hangs up while monitoring gives everything back', async () => {
  const { connect, broker } = server();
  const [reader, writer] = [connect(), connect()];
  await reader.ask('monitor q 100\r\n');
  await fill(writer, 'q', 'a', 'b');
  reader.hangUp();
  await writer.ask('');
  expect(broker.waits).toBe(0);
  expect(await drain(writer, 'q')).toEqual(['a', 'b']);
});

test('a reader who does not take what monitor sends is not sent more', async () => {
  const { connect, broker } = server({ maxOpenReads: 1000, replyBytesMax: 100_000 });
  const [reader, writer] = [connect(), connect()];
  const body = 'x'.repeat(20_000);
  for (let index = 0; index < 50; index += 1) await fill(writer, 'q', body);
  reader.stopReading();
  await reader.ask('monitor q 10 50\r\n');
  const open = broker.registry.queues.get('q')!.reader.openReads.size;
  expect(open).toBeGreaterThan(3);
  expect(open).toBeLessThan(20);
  reader.readOn();
  expect(await reader.receive(50 * hit('q', body).length + 5)).toBe(`${hit('q', body).repeat(50)}END\r\n`);
});

test('confirm acknowledges the oldest open reads', async () => {
  const { connect } = server();
  const [reader, other] = [connect(), connect()];
  await fill(reader, 'q', 'a', 'b', 'c');
  await reader.ask('monitor q 10 3\r\n');
  await says(reader, [
    ['confirm q 2\r\n', 'END\r\n'],
    ['confirm q 2\r\n', 'ERROR\r\n'],
    ['confirm q 0\r\n', 'END\r\n'],
  ]);
  reader.hangUp();
  await other.ask('');
  expect(await drain(other, 'q')).toEqual(['c']);
});

test('confirm of a missing queue, and of one with nothing open', async () => {
  const client = server().connect();
  await says(client, [
    ['confirm none 1\r\n', 'ERROR\r\n'],
    ['confirm none 0\r\n', 'END\r\n'],
  ]);
});

test.each([
  'monitor',
  'monitor q',
  'monitor q x',
  'monitor q -1',
  'monitor q 1 0',
  'monitor q 1 x',
  'confirm',
  'confirm q',
  'confirm q x',
  'confirm q -1',
  'confirm q 1.5',
])('%s is refused; in the dialect of Kestrel the connection ends', async (line) => {
  const memcached = server().connect();
  expect(await memcached.ask(`${line}\r\nversion\r\n`)).toBe(
    'CLIENT_ERROR bad command line format\r\nVERSION 1.2.3\r\n',
  );
  const kestrel = server({ dialect: 'kestrel' }).connect();
  expect(await kestrel.ask(`${line}\r\nversion\r\n`)).toBe('CLIENT_ERROR bad command line format\r\n');
  expect(kestrel.ended).toBe(true);
});

test('close works on what monitor opened', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await client.ask('monitor q 0 1\r\n');
  await says(client, [
    ['get q/close/open\r\n', hit('q/close/open', 'b')],
    ['get q/close\r\n', miss],
    ['confirm q 1\r\n', 'ERROR\r\n'],
  ]);
});

test('monitor with close, abort or peek is refused, and the server lives', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  const refused = 'CLIENT_ERROR monitor opens: close, abort, bury and peek do not go with it\r\n';
  for (const option of ['close', 'abort', 'bury', 'peek']) {
    expect(await client.ask(`monitor q/${option} 0\r\n`)).toBe(refused);
  }
  expect(await drain(client, 'q')).toEqual(['a']);
});
