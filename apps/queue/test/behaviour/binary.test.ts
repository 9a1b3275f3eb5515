import {
  type BinaryCommand,
  createBinaryReplyDecoder,
  Opcode,
  Output,
  Status,
  writeBinaryRequest,
} from '@rookery/protocol/memcache';
import { describe, expect, test } from 'vitest';
import type { Client } from '../in-memory.ts';
import { drain, fill, server } from './support.ts';

function frames(...commands: BinaryCommand[]): string {
  const out = new Output();
  for (const command of commands) writeBinaryRequest(out, command);
  return Buffer.concat(out.take()).toString('latin1');
}

interface Answer {
  readonly opcode: number;
  readonly status: number;
  readonly opaque: number;
  readonly key: string;
  readonly flags: number | undefined;
  readonly body: string;
  readonly cas: number | bigint;
}

function read(bytes: string): Answer[] {
  const decoder = createBinaryReplyDecoder();
  decoder.push(Buffer.from(bytes, 'latin1'));
  const answers: Answer[] = [];
  for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) {
    if (reply.kind !== 'binary') throw new Error('no reply');
    const { opcode, status, opaque, key, flags, buffer, start, end, cas } = reply;
    answers.push({ opcode, status, opaque, key, flags, cas, body: buffer.toString('latin1', start, end) });
  }
  return answers;
}

const ask = async (client: Client, ...commands: BinaryCommand[]): Promise<Answer[]> =>
  read(await client.ask(frames(...commands)));

const put = (key: string, body: string, more: Partial<BinaryCommand> = {}): BinaryCommand => ({
  opcode: Opcode.set,
  key,
  buffer: Buffer.from(body, 'latin1'),
  ...more,
});

test('what memjs and dalli 3 send: version, set, get, delete', async () => {
  const client = server().connect();
  const replies = await ask(
    client,
    { opcode: Opcode.version, opaque: 7 },
    put('q', 'hello', { flags: 0x1234, opaque: 8 }),
    { opcode: Opcode.get, key: 'q', opaque: 9 },
    { opcode: Opcode.get, key: 'q', opaque: 10 },
    { opcode: Opcode.delete, key: 'q' },
    { opcode: Opcode.delete, key: 'q' },
  );
  expect(replies.map(({ status, opaque }) => [status, opaque])).toEqual([
    [0, 7],
    [0, 8],
    [0, 9],
    [Status.notFound, 10],
    [0, 0],
    [Status.notFound, 0],
  ]);
  expect(replies[0]?.body).toBe('1.2.3');
  expect(replies[1]?.cas).toBe(1);
  expect(replies[2]).toMatchObject({ body: 'hello', flags: 0x1234, key: '', cas: 1 });
});

test('a multi-get: GETKQ … NOOP answers the hits with their keys, then the NOOP', async () => {
  const client = server().connect();
  await ask(client, put('a', '1'), put('c', '3'));
  const replies = await ask(
    client,
    { opcode: Opcode.getKQ, key: 'a', opaque: 1 },
    { opcode: Opcode.getKQ, key: 'b', opaque: 2 },
    { opcode: Opcode.getKQ, key: 'c', opaque: 3 },
    { opcode: Opcode.noop, opaque: 4 },
  );
  expect(replies.map(({ opcode, opaque, key, body }) => [opcode, opaque, key, body])).toEqual([
    [Opcode.getKQ, 1, 'a', '1'],
    [Opcode.getKQ, 3, 'c', '3'],
    [Opcode.noop, 4, '', ''],
  ]);
});

test('quiet commands say nothing of success, and tell of failure', async () => {
  const client = server({ configuration: { queues: { f: { maxItems: 0 } } } }).connect();
  const replies = await ask(
    client,
    put('q', 'a', { opcode: Opcode.setQ }),
    put('q', 'b', { opcode: Opcode.addQ, opaque: 1 }),
    put('p', 'b', { opcode: Opcode.addQ }),
    put('none', 'b', { opcode: Opcode.replaceQ, opaque: 2 }),
    put('q', 'b', { opcode: Opcode.appendQ, opaque: 3 }),
    put('f', 'b', { opcode: Opcode.setQ, opaque: 4 }),
    { opcode: Opcode.getQ, key: 'none' },
    { opcode: Opcode.deleteQ, key: 'p' },
    { opcode: Opcode.deleteQ, key: 'p', opaque: 5 },
    { opcode: Opcode.flushQ },
    { opcode: Opcode.noop, opaque: 6 },
  );
  expect(replies.map(({ opaque, status }) => [opaque, status])).toEqual([
    [1, Status.exists],
    [2, Status.notFound],
    [3, Status.notStored],
    [4, Status.outOfMemory],
    [5, Status.notFound],
    [6, Status.success],
  ]);
});

test('options of get work here too', async () => {
  const { connect } = server();
  const client = connect();
  await ask(client, put('q', 'a'), put('q', 'b'));
  const replies = await ask(
    client,
    { opcode: Opcode.getK, key: 'q/open' },
    { opcode: Opcode.get, key: 'q/close/open' },
    { opcode: Opcode.get, key: 'q/abort' },
    { opcode: Opcode.get, key: 'q/peek' },
  );
  expect(replies.map(({ status, key, body }) => [status, key, status === 0 ? body : ''])).toEqual([
    [0, 'q/open', 'a'],
    [0, '', 'b'],
    [Status.notFound, '', ''],
    [0, '', 'b'],
  ]);
});

test('a get waits, and what is behind it is answered after it', async () => {
  const { connect } = server();
  const [reader, writer] = [connect(), connect()];
  expect(await ask(reader, { opcode: Opcode.get, key: 'q/t=1000' }, { opcode: Opcode.noop })).toEqual([]);
  await fill(writer, 'q', 'a');
  const replies = read(await reader.ask(''));
  expect(replies.map(({ opcode, body }) => [opcode, body])).toEqual([
    [Opcode.get, 'a'],
    [Opcode.noop, ''],
  ]);
});

test('gat reads, touch gives more time', async () => {
  const { connect, advance } = server({ configuration: { defaults: { openReadTimeoutMs: 1000 } } });
  const client = connect();
  await ask(client, put('q', 'a'), put('q', 'b'));
  const replies = await ask(
    client,
    { opcode: Opcode.gatK, key: 'q', exptime: 9 },
    { opcode: Opcode.touch, key: 'q', exptime: 0 },
    { opcode: Opcode.get, key: 'q/open' },
  );
  expect(replies.map(({ status }) => status)).toEqual([0, Status.notFound, 0]);
  await advance(900);
  expect((await ask(client, { opcode: Opcode.touch, key: 'q', exptime: 0 }))[0]?.status).toBe(0);
  await advance(900);
  expect((await ask(client, { opcode: Opcode.get, key: 'q' }))[0]?.status).toBe(Status.notFound);
});

test('expiry, also the negative one that arrives unsigned', async () => {
  const { connect, jump } = server();
  const client = connect();
  await ask(client, put('q', 'a', { exptime: 0xffff_ffff }), put('q', 'b', { exptime: 10 }), put('q', 'c'));
  jump(10_000);
  expect(await drain(connect(), 'q')).toEqual(['c']);
});

test('flush with a time', async () => {
  const { connect, advance } = server();
  const client = connect();
  await ask(client, put('q', 'a'));
  expect((await ask(client, { opcode: Opcode.flush, exptime: 5 }))[0]?.status).toBe(0);
  await advance(4999);
  expect((await ask(client, { opcode: Opcode.get, key: 'q/peek' }))[0]?.body).toBe('a');
  await advance(1);
  expect((await ask(client, { opcode: Opcode.get, key: 'q' }))[0]?.status).toBe(Status.notFound);
});

test('a cas never fits: nothing is stored or deleted', async () => {
  const client = server().connect();
  const none = await ask(client, put('q', 'a', { cas: 1 }), { opcode: Opcode.delete, key: 'q', cas: 1 });
  expect(none.map(({ status }) => status)).toEqual([Status.notFound, Status.notFound]);
  await ask(client, put('q', 'a'));
  const some = await ask(client, put('q', 'b', { cas: 1 }), { opcode: Opcode.delete, key: 'q', cas: 1 });
  expect(some.map(({ status }) => status)).toEqual([Status.exists, Status.exists]);
  expect((await ask(client, { opcode: Opcode.get, key: 'q' }))[0]?.body).toBe('a');
});

test('stat gives figures of the server and of each queue, then an empty one', async () => {
  const client = server().connect();
  await ask(client, put('q', 'a'));
  const replies = await ask(client, { opcode: Opcode.stat, opaque: 3 });
  const names = replies.map(({ key }) => key);
  for (const name of ['pid', 'version', 'curr_items', 'queue_q_items']) expect(names).toContain(name);
  expect(replies.at(-1)).toMatchObject({ key: '', body: '', opaque: 3 });
  expect(await ask(client, { opcode: Opcode.stat, key: 'settings' })).toHaveLength(1);
});

describe('refusals', () => {
  test('have their status and leave the connection usable', async () => {
    const client = server({
      maxBodyBytes: 100,
      configuration: { queues: { s: { maxItemBytes: 0 } } },
    }).connect();
    const replies = await ask(
      client,
      put('q', 'x'.repeat(101)),
      put('s', 'x'),
      put('a/open', 'x'),
      { opcode: Opcode.get, key: 'a/open/abort' },
      { opcode: Opcode.increment, key: 'none' },
      { opcode: 0x70, key: 'q' },
      { opcode: Opcode.saslList },
      { opcode: Opcode.noop },
    );
    expect(replies.map(({ status }) => status)).toEqual([
      Status.tooLarge,
      Status.tooLarge,
      Status.invalidArguments,
      Status.invalidArguments,
      Status.notFound,
      Status.unknownCommand,
      Status.unknownCommand,
      Status.success,
    ]);
  });

  test('blocked by the status of the server', async () => {
    const { connect, broker } = server();
    broker.status = 'quiescent';
    const replies = await ask(connect(), put('q', 'a'), { opcode: Opcode.get, key: 'q' });
    expect(replies.map(({ status }) => status)).toEqual([Status.temporary, Status.temporary]);
  });

  test('a frame whose lengths contradict each other ends the connection', async () => {
    const client = server().connect();
    const frame = Buffer.from(frames(put('q', 'a')), 'latin1');
    frame.writeUInt32BE(2, 8);
    const replies = read(await client.ask(frame.toString('latin1')));
    expect(replies.map(({ status }) => status)).toEqual([Status.invalidArguments]);
    expect(client.ended).toBe(true);
  });

  test('text in the middle of binary ends the connection', async () => {
    const client = server().connect();
    const replies = read(await client.ask(`${frames({ opcode: Opcode.noop })}get q\r\n`));
    expect(replies.map(({ status }) => status)).toEqual([0, Status.unknownCommand]);
    expect(client.ended).toBe(true);
  });
});

test('quit is answered, quitq is not, and both end the connection', async () => {
  const { connect } = server();
  const [quit, quitQ] = [connect(), connect()];
  expect(await ask(quit, { opcode: Opcode.quit, opaque: 1 })).toMatchObject([{ status: 0, opaque: 1 }]);
  expect(await ask(quitQ, { opcode: Opcode.quitQ })).toEqual([]);
  expect([quit.ended, quitQ.ended]).toEqual([true, true]);
});

test('every byte may be in a name', async () => {
  const { connect } = server();
  const client = connect();
  const name = 'a b\r\nc\0\xff';
  await ask(client, put(name, 'x'));
  expect((await ask(client, { opcode: Opcode.getK, key: name }))[0]).toMatchObject({ key: name, body: 'x' });
  // On the text wire it can't break a line.
  const text = await connect().ask('stats\r\n');
  expect(text.split('\r\n').every((line) => line === '' || /^(STAT |END$)/.test(line))).toBe(true);
});
