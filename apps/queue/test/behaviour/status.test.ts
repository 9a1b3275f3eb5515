import { describe, expect, test } from 'vitest';
import { fill, hit, miss, says, server, set, stored } from './support.ts';

const noWrites = /^SERVER_ERROR the server takes no writes: its status is \w+\r\n$/;
const noReads = /^SERVER_ERROR the server takes no reads: its status is \w+\r\n$/;

const modes: [string, string, boolean, boolean][] = [
  ['up', 'UP', true, true],
  ['UP', 'UP', true, true],
  ['readonly', 'READONLY', false, true],
  ['quiescent', 'QUIESCENT', false, false],
  ['writeavoid', 'WRITEAVOID', true, true],
  ['draining', 'DRAINING', false, true],
  ['drain', 'DRAINING', false, true],
];

describe.each(modes)('status %s', (mode, shown, writes, reads) => {
  test('is told and kept to', async () => {
    const client = server().connect();
    await fill(client, 'q', 'a');
    await says(client, [
      [`status ${mode}\r\n`, 'END\r\n'],
      ['status\r\n', `${shown}\r\n`],
    ]);
    const put = await client.ask(set('q', 'b'));
    if (writes) expect(put).toBe(stored);
    else expect(put).toMatch(noWrites);
    const got = await client.ask('get q\r\n');
    if (reads) expect(got).toBe(hit('q', 'a'));
    else expect(got).toMatch(noReads);
    await says(client, [['status up\r\n', 'END\r\n']]);
    await fill(client, 'q', 'c');
  });
});

test('what is blocked ends the connection in the dialect of Kestrel', async () => {
  const { connect } = server({ dialect: 'kestrel' });
  const [writer, reader, admin] = [connect(), connect(), connect()];
  await says(admin, [['status quiescent\r\n', 'END\r\n']]);
  expect(await writer.ask(`${set('q', 'a')}version\r\n`)).toMatch(noWrites);
  expect(writer.ended).toBe(true);
  expect(await reader.ask('get q\r\nversion\r\n')).toMatch(noReads);
  expect(reader.ended).toBe(true);
  expect(admin.ended).toBe(false);
});

test('an unknown status is refused', async () => {
  const client = server().connect();
  await says(client, [
    ['status asleep\r\n', 'CLIENT_ERROR status is one of up readonly quiescent writeavoid draining\r\n'],
    ['status\r\n', 'UP\r\n'],
  ]);
});

test('readonly: open reads can be closed, and no queue comes into being', async () => {
  const { connect, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a');
  await client.ask('get q/open\r\nstatus readonly\r\n');
  await says(client, [
    ['get q/close\r\n', miss],
    ['get q+child\r\n', miss],
    ['get p/t=100\r\n', miss],
  ]);
  expect([...broker.registry.queues.keys()]).toEqual(['q']);
});

test('noreply puts that are blocked stay silent', async () => {
  const client = server().connect();
  expect(await client.ask(`status readonly\r\n${set('q', 'a', 0, 0, ' noreply')}version\r\n`)).toBe(
    'END\r\nVERSION 1.2.3\r\n',
  );
});
