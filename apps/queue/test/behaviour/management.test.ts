import { describe, expect, test } from 'vitest';
import { drain, fill, miss, says, server, set, stored } from './support.ts';

const dialects = ['memcached', 'starling', 'kestrel'] as const;

/** What each dialect answers, in the order of `dialects`. `x`: and the connection ends. */
const table: [string, ...[string, string, string]][] = [
  ['delete q', 'DELETED', 'DELETED', 'DELETED'],
  ['delete q 0', 'DELETED', 'DELETED', 'DELETED'],
  ['delete none', 'NOT_FOUND', 'NOT_FOUND', 'DELETED'],
  ['flush q', 'END', 'END', 'END'],
  ['flush none', 'END', 'END', 'END'],
  ['FLUSH q', 'END', 'END', 'END'],
  ['flush_all', 'OK', 'OK', 'Flushed all queues.'],
  ['flush_all ', 'OK', 'OK', 'Flushed all queues.'],
  ['flush_all 0', 'OK', 'OK', 'Flushed all queues.'],
  ['flush_expired q', '0', '0', '0'],
  ['flush_expired none', '0', '0', '0'],
  ['flush_all_expired', '0', '0', '0'],
  ['reload', 'Reloaded config.', 'Reloaded config.', 'Reloaded config.'],
  ['status', 'UP', 'UP', 'UP'],
  ['status readonly', 'END', 'END', 'END'],
  ['version', 'VERSION 1.2.3', 'VERSION 1.2.3', 'VERSION 1.2.3'],
  ['verbosity 1', 'OK', 'OK', 'OK'],
  ['stats reset', 'RESET', 'RESET', 'RESET'],
  ['stats malloc', 'END', 'END', 'END'],
  ['stats settings', 'END', 'END', 'END'],
  ['dump_stats none', 'END', 'END', 'END'],
  ['quit', 'x', 'x', 'x'],
  ['shutdown', 'ERROR: shutdown not enabled', 'ERROR: shutdown not enabled', 'x'],
  ['nonsense', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['delete', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['flush', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['flush_expired', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['get', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  ['touch q', 'ERROR', 'ERROR', 'x CLIENT_ERROR'],
  [
    'flush_all soon',
    ...([0, 1].map(() => 'CLIENT_ERROR invalid exptime argument') as [string, string]),
    'x CLIENT_ERROR invalid exptime argument',
  ],
  [
    'get q/open/abort',
    ...([0, 1].map(() => 'CLIENT_ERROR abort and peek go with no other verb') as [string, string]),
    'x CLIENT_ERROR abort and peek go with no other verb',
  ],
];

describe.each(dialects)('in the dialect of %s', (dialect) => {
  test.each(table)('%j', async (line, ...replies) => {
    const reply = replies[dialects.indexOf(dialect)]!;
    const client = server({ dialect }).connect();
    await fill(client, 'q', 'a');
    const text = reply.replace(/^x ?/, '');
    expect(await client.ask(`${line}\r\n`)).toBe(text === '' ? '' : `${text}\r\n`);
    expect(client.ended).toBe(reply.startsWith('x'));
  });

  test('a put to a full queue', async () => {
    const client = server({ dialect, configuration: { queues: { q: { maxItems: 0 } } } }).connect();
    expect(await client.ask(set('q', 'a'))).toBe(
      dialect === 'memcached' ? 'SERVER_ERROR out of memory storing object\r\n' : 'NOT_STORED\r\n',
    );
    expect(client.ended).toBe(false);
  });

  test('a body over max_item_bytes', async () => {
    const client = server({ dialect, configuration: { queues: { q: { maxItemBytes: 1 } } } }).connect();
    expect(await client.ask(set('q', 'aa'))).toBe('SERVER_ERROR object too large for cache\r\n');
    expect(client.ended).toBe(false);
  });
});

test('delete takes the queue with all it holds', async () => {
  const { connect, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    ['delete q\r\n', 'DELETED\r\n'],
    ['get q\r\n', miss],
  ]);
  expect(broker.registry.queues.has('q')).toBe(false);
});

test('flush empties the queue and keeps it', async () => {
  const { connect, broker } = server();
  const client = connect();
  await fill(client, 'q', 'a', 'b');
  await fill(client, 'p', 'c');
  await client.ask('flush q\r\n');
  expect(broker.registry.queues.has('q')).toBe(true);
  expect(await drain(client, 'q')).toEqual([]);
  expect(await drain(client, 'p')).toEqual(['c']);
});

describe('flush_all', () => {
  test('empties every queue', async () => {
    const client = server().connect();
    await fill(client, 'p', 'a');
    await fill(client, 'q', 'b');
    await client.ask('flush_all\r\n');
    expect(await drain(client, 'p')).toEqual([]);
    expect(await drain(client, 'q')).toEqual([]);
  });

  test('with a delay does so then, what came meanwhile included', async () => {
    const { connect, advance } = server();
    const client = connect();
    await fill(client, 'q', 'a');
    expect(await client.ask('flush_all 10\r\n')).toBe('OK\r\n');
    await advance(9999);
    await fill(client, 'q', 'b');
    expect(await client.ask('get q/peek\r\n')).toContain('a');
    await advance(1);
    expect(await drain(client, 'q')).toEqual([]);
  });

  test('takes Unix time as exptime does', async () => {
    const { connect, advance } = server();
    const client = connect();
    await fill(client, 'q', 'a');
    await client.ask('flush_all 1800000010\r\n');
    await advance(9000);
    expect(await client.ask('get q/peek\r\n')).toContain('a');
    await advance(2000);
    expect(await drain(client, 'q')).toEqual([]);
  });

  test('far in the future is not at once', async () => {
    const { connect, advance } = server();
    const client = connect();
    await fill(client, 'q', 'a');
    expect(await client.ask('flush_all 2591999\r\nflush_all 4000000000\r\n')).toBe('OK\r\nOK\r\n');
    await advance(10_000);
    expect(await drain(client, 'q')).toEqual(['a']);
  });

  test('a later one replaces it', async () => {
    const { connect, advance } = server();
    const client = connect();
    await client.ask('flush_all 10\r\nflush_all\r\n');
    await fill(client, 'q', 'a');
    await advance(20_000);
    expect(await drain(client, 'q')).toEqual(['a']);
  });
});

describe('flush_expired', () => {
  test('counts what it took from the head', async () => {
    const { connect, jump } = server();
    const client = connect();
    await says(client, [
      [set('q', 'a', 0, 5), stored],
      [set('q', 'b', 0, 5), stored],
      [set('q', 'c'), stored],
      [set('p', 'd', 0, 5), stored],
    ]);
    jump(5000);
    await says(client, [
      ['flush_expired q\r\n', '2\r\n'],
      ['flush_expired q\r\n', '0\r\n'],
      ['flush_all_expired\r\n', '1\r\n'],
      ['flush_all_expired\r\n', '0\r\n'],
    ]);
    expect(await drain(client, 'q')).toEqual(['c']);
  });

  test('reads the store as far as needed', async () => {
    const { connect, jump, advance, broker } = server();
    const client = connect();
    await client.ask(set('q', 'a', 0, 3600).repeat(5000));
    await fill(client, 'q', 'kept');
    await advance(10_000);
    expect(broker.registry.queues.get('q')?.reader.windowSize).toBe(0);
    jump(3_600_000);
    expect(await client.ask('flush_expired q\r\n')).toBe('5000\r\n');
    expect(await drain(client, 'q')).toEqual(['kept']);
  });
});

test('reload tells when it failed', async () => {
  const made = server();
  made.host.reload = async () => 'SERVER_ERROR line 3: no';
  expect(await made.connect().ask('reload\r\nversion\r\n')).toBe(
    'SERVER_ERROR line 3: no\r\nVERSION 1.2.3\r\n',
  );
});

test('dump_config tells the settings in force', async () => {
  expect(await server().connect().ask('dump_config\r\n')).toBe('port=22122 (default)\r\nEND\r\n');
});

test('shutdown in the dialect of Kestrel ends the server', async () => {
  const made = server({ dialect: 'kestrel' });
  let shut = 0;
  made.host.shutdown = () => {
    shut += 1;
  };
  expect(await made.connect().ask('shutdown\r\n')).toBe('');
  expect(shut).toBe(1);
});

test('prototype words are commands nobody knows', async () => {
  const client = server().connect();
  expect(await client.ask('constructor\r\n__proto__ x\r\ntoString\r\n')).toBe('ERROR\r\nERROR\r\nERROR\r\n');
});

test('flush_all of very many queues lets others have their turn, and answers when all are empty', async () => {
  const { connect, broker, clock } = server({ maxQueues: 10_000 });
  const client = connect();
  for (let at = 0; at < 2500; at += 1) broker.registry.findOrCreate(`q${at}`, 0);
  await fill(client, 'q0', 'a');
  await fill(client, 'q2499', 'z');
  const items = (): number[] => ['q0', 'q2499'].map((name) => broker.registry.queues.get(name)!.items);
  const flushed = broker.flusher.flushAllAt(0);
  expect(items()).toEqual([0, 1]);
  await clock.run(flushed!);
  expect(items()).toEqual([0, 0]);
  await fill(client, 'q2499', 'z');
  expect(await client.ask('flush_all\r\nget q2499\r\nset q2499 0 0 1\r\nb\r\n')).toBe(
    `OK\r\n${miss}${stored}`,
  );
  expect(items()).toEqual([0, 1]);
});
