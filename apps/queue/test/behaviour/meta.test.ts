import { describe, expect, test } from 'vitest';
import { drain, fill, says, server, stored } from './support.ts';

test('what dalli 4 sends: version, ms, mg, md, mn', async () => {
  const client = server().connect();
  await says(client, [
    ['version\r\n', 'VERSION 1.2.3\r\n'],
    ['mg q v f c\r\n', 'EN\r\n'],
    ['ms q 1 c F2 T0 MS\r\na\r\n', 'HD c1\r\n'],
    ['ms q 1 c F0 T60 MS\r\nb\r\n', 'HD c2\r\n'],
    ['mg q v f\r\n', 'VA 1 f2\r\na\r\n'],
    ['mg q v f c\r\n', 'VA 1 f0 c2\r\nb\r\n'],
    ['mn\r\n', 'MN\r\n'],
    ['md q\r\n', 'HD\r\n'],
    ['md q\r\n', 'NF\r\n'],
    ['flush_all\r\n', 'OK\r\n'],
  ]);
});

test('a multi-get of dalli: quiet mg with key and size, then mn', async () => {
  const client = server().connect();
  await fill(client, 'a', 'xx');
  await fill(client, 'c', 'y');
  expect(await client.ask('mg a v f k q s\r\nmg b v f k q s\r\nmg c v f k q s\r\nmn\r\n')).toBe(
    'VA 2 f0 ka s2\r\nxx\r\nVA 1 f0 kc s1\r\ny\r\nMN\r\n',
  );
});

test('quiet ms and md say nothing of success', async () => {
  const client = server().connect();
  expect(await client.ask('ms q 1 F5 q\r\na\r\nmd none q\r\nmn\r\n')).toBe('MN\r\n');
  expect(await client.ask('mg q v f\r\nms q 1 q MA\r\nx\r\nmd q q\r\nmn\r\n')).toBe(
    'VA 1 f5\r\na\r\nNS\r\nMN\r\n',
  );
});

test('mg without v only looks', async () => {
  const client = server().connect();
  await fill(client, 'q', 'abc');
  await says(client, [
    ['mg q s f\r\n', 'HD s3 f0\r\n'],
    ['mg q\r\n', 'HD\r\n'],
    ['mg none\r\n', 'EN\r\n'],
  ]);
  expect(await drain(client, 'q')).toEqual(['abc']);
});

test('mg takes the options of get', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    ['mg q/open v\r\n', 'VA 1\r\na\r\n'],
    ['mg q/close/open v\r\n', 'VA 1\r\nb\r\n'],
    ['mg q/abort\r\n', 'EN\r\n'],
    ['mg q/peek v\r\n', 'VA 1\r\nb\r\n'],
    ['mg q/open\r\n', 'HD\r\n'],
    ['mg q/close\r\n', 'EN\r\n'],
    ['mg q v\r\n', 'EN\r\n'],
  ]);
});

test('mg waits', async () => {
  const { connect, advance } = server();
  const [reader, writer] = [connect(), connect()];
  expect(await reader.ask('mg q/t=1000 v\r\nmn\r\n')).toBe('');
  await fill(writer, 'q', 'a');
  expect(await reader.ask('')).toBe('VA 1\r\na\r\nMN\r\n');
  expect(await reader.ask('mg q/t=1000 v q\r\nmn\r\n')).toBe('');
  await advance(1000);
  expect(await reader.ask('')).toBe('MN\r\n');
});

test('t tells the seconds left, O comes back, k and b give the key as it came', async () => {
  const client = server().connect();
  const key = Buffer.from('a key').toString('base64');
  await says(client, [
    ['ms q 1 T60\r\na\r\n', 'HD\r\n'],
    ['mg q t Oxyz k\r\n', 'HD t60 Oxyz kq\r\n'],
    [`ms ${key} 1 b\r\nx\r\n`, 'HD\r\n'],
    [`mg ${key} b k v t\r\n`, `VA 1 k${key} b t-1\r\nx\r\n`],
  ]);
});

describe('refusals', () => {
  test('NS for what memcached would not store, EX and NF for a cas', async () => {
    const client = server().connect();
    await says(client, [
      ['ms q 1 MR\r\na\r\n', 'NS\r\n'],
      ['ms q 1 C5\r\na\r\n', 'NF\r\n'],
      ['ms q 1 ME\r\na\r\n', 'HD\r\n'],
      ['ms q 1 ME\r\na\r\n', 'NS\r\n'],
      ['ms q 1 MP\r\na\r\n', 'NS\r\n'],
      ['ms q 1 C5\r\na\r\n', 'EX\r\n'],
    ]);
    expect(await drain(client, 'q')).toEqual(['a']);
  });

  test('md with a cas deletes nothing: a queue is no single thing', async () => {
    const client = server().connect();
    await says(client, [['md q C1\r\n', 'NF\r\n']]);
    await fill(client, 'q', 'a');
    await says(client, [['md q C1\r\n', 'EX\r\n']]);
    expect(await drain(client, 'q')).toEqual(['a']);
  });

  test('a full queue, an item too large, a name that can’t be', async () => {
    const options = { configuration: { queues: { f: { maxItems: 0 }, s: { maxItemBytes: 0 } } } };
    await says(server(options).connect(), [
      ['ms f 1\r\na\r\n', 'SERVER_ERROR out of memory storing object\r\n'],
      ['ms s 1\r\na\r\n', 'SERVER_ERROR object too large for cache\r\n'],
    ]);
    await says(server({ ...options, dialect: 'starling' }).connect(), [['ms f 1\r\na\r\n', 'NS\r\n']]);
    expect(await server().connect().ask('ms a/open 1\r\nx\r\nmn\r\n')).toMatch(
      /^CLIENT_ERROR [^\r\n]+\r\nMN\r\n$/,
    );
  });

  test('bad lines leave the connection usable', async () => {
    const client = server().connect();
    for (const line of [
      'mg',
      'mg q !',
      'mg q v v',
      'md',
      'me',
      'ms q 1 Fx\r\na',
      'ms q 1 MX\r\na',
      'mg %%% b',
    ]) {
      expect(await client.ask(`${line}\r\nmn\r\n`), line).toMatch(/^(CLIENT_)?ERROR[^\r\n]*\r\nMN\r\n$/);
    }
  });
});

test('me tells what there is, ma that a message is no number', async () => {
  const client = server().connect();
  await fill(client, 'q', 'abc');
  await client.ask('get q/open\r\n');
  await says(client, [
    ['me q\r\n', 'ME q items=1 bytes=3 open=1 delayed=0 paused=0\r\n'],
    ['me none\r\n', 'EN\r\n'],
    ['ma q\r\n', 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
    ['ma none\r\n', 'NF\r\n'],
  ]);
});

test('ms to a queue with /sync, and to several', async () => {
  const client = server().connect();
  await says(client, [
    ['ms a+b/sync 1 F9\r\nx\r\n', 'HD\r\n'],
    ['mg a v f\r\n', 'VA 1 f9\r\nx\r\n'],
    ['mg b v f\r\n', 'VA 1 f9\r\nx\r\n'],
  ]);
});

test('text and meta share a connection', async () => {
  const client = server().connect();
  await says(client, [['set q 3 0 1\r\na\r\nmg q v f\r\n', `${stored}VA 1 f3\r\na\r\n`]]);
});
