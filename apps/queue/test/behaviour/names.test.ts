import { describe, expect, test } from 'vitest';
import { drain, fill, hit, says, server, set, stored } from './support.ts';

const names = [
  'a/b/c',
  '/etc/passwd',
  '../../x',
  '..',
  '.',
  'a.b.c',
  '~',
  '*',
  'a:b',
  'QUEUE',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'caf\xc3\xa9',
  '\xff\xfe\x80',
  'a\x7fb',
  '"quoted"',
  "it's",
  '{}',
  'k'.repeat(250),
];

test.each(names)('%j is a name like any other', async (name) => {
  const client = server().connect();
  await says(client, [
    [set(name, 'a', 3), stored],
    [`get ${name}/open\r\n`, hit(`${name}/open`, 'a', 3)],
    [`get ${name}/abort\r\n`, 'END\r\n'],
    [`get ${name}\r\n`, hit(name, 'a', 3)],
  ]);
  if (name.length < 250) await client.ask(`get ${name}+c\r\n`);
  await fill(client, name, 'b');
  if (name.length < 250) expect(await drain(client, `${name}+c`)).toEqual(['b']);
  expect(await drain(client, `${name}/cursor=c`)).toEqual(['b']);
  expect(await client.ask('stats\r\n')).toContain(`STAT queue_${name}_items 1\r\n`);
  expect(await client.ask(`dump_stats ${name}\r\n`)).toContain(`queue '${name}' {\r\n`);
  await says(client, [
    [`flush ${name}\r\n`, 'END\r\n'],
    [`delete ${name}\r\n`, 'DELETED\r\n'],
    [`delete ${name}\r\n`, 'NOT_FOUND\r\n'],
  ]);
});

test('names differ by case and by bytes', async () => {
  const client = server().connect();
  await fill(client, 'q', 'small');
  await fill(client, 'Q', 'large');
  expect(await drain(client, 'Q')).toEqual(['large']);
});

test.each(['open', 'CLOSE', 'abort', 'peek', 't=5', 'cursor=x', 'sync/sync'])(
  'a name can’t end in /%s, for it could never be read',
  async (option) => {
    const client = server().connect();
    expect(await client.ask(set(`q/${option}`, 'a'))).toMatch(/^CLIENT_ERROR [^\r\n]+\r\n$/);
  },
);

test('the name without its options has 250 bytes at most', async () => {
  const client = server().connect();
  const name = 'k'.repeat(250);
  await fill(client, name, 'a');
  expect(await client.ask(`get ${name}/open/t=1000\r\n`)).toBe(hit(`${name}/open/t=1000`, 'a'));
  expect(await client.ask(`get ${name}k/open\r\n`)).toMatch(/^CLIENT_ERROR [^\r\n]+\r\n$/);
});

describe('in the dialect of Kestrel', () => {
  test.each(['a/b', 'a.b', 'a~b', '../x'])('%s is no name', async (name) => {
    const client = server({ dialect: 'kestrel' }).connect();
    expect(await client.ask(`${set(name, 'a')}version\r\n`)).toBe(
      'CLIENT_ERROR Queue name contains illegal characters (one of: ~ . /)\r\n',
    );
    expect(client.ended).toBe(true);
  });

  test('the name of a fanout child is one', async () => {
    const client = server({ dialect: 'kestrel' }).connect();
    expect(await client.ask('get q+child\r\n')).toBe('END\r\n');
  });
});

test('no message is moved to a queue that nobody could read', async () => {
  const { connect, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a');
  const encoded = (name: string): string => Buffer.from(name).toString('base64');
  await says(client, [
    [
      'redrive q 1 other/open\r\n',
      `CLIENT_ERROR a queue's name can't end in "/open": that is an option of get\r\n`,
    ],
    [`redrive q 1 ${'n'.repeat(251)}\r\n`, `CLIENT_ERROR a queue's name has 250 bytes at most\r\n`],
    [
      `ma ${encoded('q')} b MV B1 K${encoded('other/t=5')}\r\n`,
      `CLIENT_ERROR a queue's name can't end in "/t=5": that is an option of get\r\n`,
    ],
  ]);
  expect([...broker.registry.queues.keys()]).toEqual(['q']);
  expect(await drain(client, 'q')).toEqual(['a']);
});
