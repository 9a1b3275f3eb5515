import {
  type BinaryCommand,
  createBinaryReplyDecoder,
  Opcode,
  Output,
  Status,
  writeBinaryRequest,
} from '@rookery/protocol/memcache';
import { expect, test } from 'vitest';
import { fill, server } from '../behaviour/support.ts';
import type { Client } from '../in-memory.ts';
import { guarded, login } from './support.ts';

async function ask(client: Client, command: BinaryCommand): Promise<[status: number, body: string][]> {
  const out = new Output();
  writeBinaryRequest(out, command);
  const decoder = createBinaryReplyDecoder();
  decoder.push(Buffer.from(await client.ask(Buffer.concat(out.take()).toString('latin1')), 'latin1'));
  const replies: [number, string][] = [];
  for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) {
    if (reply.kind !== 'binary') throw new Error(`unexpected ${reply.kind}`);
    replies.push([reply.status, reply.buffer.toString('latin1', reply.start, reply.end)]);
  }
  return replies;
}

function sasl(opcode: number, body: string, key = 'PLAIN'): BinaryCommand {
  return { opcode, key, buffer: Buffer.from(body, 'latin1') };
}

const failure = [[Status.authError, 'Auth failure.']];

function guardedServer(grants: string[] = ['all:*']) {
  const guard = guarded({ user: grants, chief: ['all:*'] });
  return { ...server({ access: guard.access }), guard, token: guard.tokens.user! };
}

test('SASL lists PLAIN, and takes it in one message or two', async () => {
  const { connect, token } = guardedServer();
  const one = connect();
  expect(await ask(one, { opcode: Opcode.version })).toEqual([[0, '1.2.3']]);
  expect(await ask(one, { opcode: Opcode.saslList })).toEqual([[0, 'PLAIN']]);
  expect(await ask(one, sasl(Opcode.saslAuth, `\0user\0${token}`))).toEqual([[0, 'Authenticated']]);
  expect(await ask(one, { opcode: Opcode.get, key: 'q' })).toEqual([[Status.notFound, 'NOT_FOUND']]);
  const two = connect();
  expect(await ask(two, sasl(Opcode.saslAuth, ''))).toEqual([[Status.authContinue, '']]);
  expect(await ask(two, sasl(Opcode.saslStep, `user\0user\0${token}`))).toEqual([[0, 'Authenticated']]);
  expect(await ask(two, { opcode: Opcode.noop })).toEqual([[0, '']]);
});

test('a wrong token, another mechanism, a foreign identity and a broken message fail', async () => {
  const { connect, token, guard } = guardedServer();
  for (const command of [
    sasl(Opcode.saslAuth, `\0user\0${token}x`),
    sasl(Opcode.saslAuth, `\0user\0${guard.tokens.chief}`),
    sasl(Opcode.saslAuth, `chief\0user\0${token}`),
    sasl(Opcode.saslAuth, `\0user\0${token}\0`),
    sasl(Opcode.saslAuth, 'user'),
    sasl(Opcode.saslAuth, `\0user\0${token}`, 'CRAM-MD5'),
    sasl(Opcode.saslStep, ''),
  ]) {
    const client = connect();
    expect(await ask(client, command)).toEqual(failure);
    expect(client.ended).toBe(false);
    expect(await ask(client, { opcode: Opcode.get, key: 'q' })).toEqual(failure);
    expect(client.ended).toBe(true);
  }
});

test('before it is known a client is refused, and its connection ends', async () => {
  const { connect } = guardedServer();
  for (const opcode of [Opcode.get, Opcode.set, Opcode.delete, Opcode.flush, Opcode.stat, Opcode.noop]) {
    const client = connect();
    const key = [Opcode.get, Opcode.set, Opcode.delete].some((one) => one === opcode) ? 'q' : '';
    expect(await ask(client, { opcode, key })).toEqual(failure);
    expect(client.ended).toBe(true);
  }
});

test('three wrong tokens end the connection', async () => {
  const { connect } = guardedServer();
  const client = connect();
  for (const ended of [false, false, true]) {
    expect(await ask(client, sasl(Opcode.saslAuth, '\0user\0wrong'))).toEqual(failure);
    expect(client.ended).toBe(ended);
  }
});

test('rights hold on this wire as well', async () => {
  const { connect, token, guard } = guardedServer(['read:none']);
  const chief = connect();
  await chief.ask(login('chief', guard.tokens.chief!));
  await fill(chief, 'q', 'a');
  const client = connect();
  await ask(client, sasl(Opcode.saslAuth, `\0user\0${token}`));
  const forbidden = [[Status.authError, 'forbidden']];
  const keyed = Object.entries(Opcode).filter(
    ([name]) => !/^(sasl|quit|noop|version|stat|verbosity|flush|append|prepend)/.test(name),
  );
  expect(keyed.length).toBeGreaterThan(20);
  for (const [name, opcode] of keyed) {
    expect([name, await ask(client, { opcode, key: 'q' })]).toEqual([name, forbidden]);
  }
  for (const opcode of [Opcode.flush, Opcode.flushQ])
    expect(await ask(client, { opcode })).toEqual(forbidden);
  const told = await ask(client, { opcode: Opcode.stat });
  expect(told.length).toBeGreaterThan(10);
  expect(await chief.ask('get q\r\n')).toBe('VALUE q 0 1\r\na\r\nEND\r\n');
});

test('where nobody is asked, SASL is unknown, as in a memcached without it', async () => {
  const { connect } = server();
  expect(await ask(connect(), { opcode: Opcode.saslList })).toEqual([[Status.unknownCommand, 'ERROR']]);
});
