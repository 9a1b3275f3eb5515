import { expect, test } from 'vitest';
import type { Client } from '../in-memory.ts';
import { fill, server, set } from './support.ts';

async function stats(client: Client): Promise<Map<string, string>> {
  const lines = (await client.ask('stats\r\n')).split('\r\n');
  expect(lines.splice(-2)).toEqual(['END', '']);
  return new Map(
    lines.map((line) => {
      const found = /^STAT (\S+) (.*)$/.exec(line);
      if (found === null) throw new Error(line);
      return [found[1]!, found[2]!];
    }),
  );
}

const starling =
  'pid uptime time version rusage_user rusage_system curr_items total_items bytes curr_connections total_connections cmd_get cmd_set get_hits get_misses bytes_read bytes_written limit_maxbytes';
const starlingQueue = 'items total_items logsize expired_items age';
const kestrel =
  'uptime time version curr_items total_items bytes reserved_memory_ratio curr_connections total_connections cmd_get cmd_set cmd_peek get_hits get_misses bytes_read bytes_written queue_creates queue_deletes queue_expires';
const kestrelQueue =
  'items bytes total_items logsize expired_items mem_items mem_bytes age discarded waiters open_transactions transactions canceled_transactions total_flushes journal_rewrites journal_rotations';

test.each(['memcached', 'starling', 'kestrel'] as const)(
  'every key of both families is there in the dialect of %s',
  async (dialect) => {
    const client = server({ dialect }).connect();
    await fill(client, 'q', 'a');
    const keys = new Set((await stats(client)).keys());
    const wanted = [...starling.split(' '), ...kestrel.split(' ')].concat(
      [...starlingQueue.split(' '), ...kestrelQueue.split(' ')].map((key) => `queue_q_${key}`),
    );
    expect(wanted.filter((key) => !keys.has(key))).toEqual([]);
  },
);

test('they count', async () => {
  const { connect, advance } = server();
  const client = connect();
  await fill(client, 'q', 'aaaa', 'bb', 'c');
  await client.ask('get q/open\r\nget q/close\r\nget q/open\r\nget q/abort\r\nget none\r\nget q/peek\r\n');
  await client.ask(set('p', 'x', 0, 1));
  await client.ask('delete p\r\nflush r\r\n');
  await advance(2000);
  const found = await stats(client);
  const number = (key: string): number => Number(found.get(key));
  expect({
    curr_items: number('curr_items'),
    total_items: number('queue_q_total_items'),
    bytes: number('bytes'),
    cmd_set: number('cmd_set'),
    cmd_peek: number('cmd_peek'),
    hits: number('get_hits'),
    misses: number('get_misses'),
    creates: number('queue_creates'),
    deletes: number('queue_deletes'),
    uptimeIsANumber: Number.isInteger(number('uptime')),
    time: number('time'),
    age: number('queue_q_age'),
    items: number('queue_q_items'),
    mem_items: number('queue_q_mem_items'),
    mem_bytes: number('queue_q_mem_bytes'),
    transactions: number('queue_q_transactions'),
    canceled: number('queue_q_canceled_transactions'),
  }).toEqual({
    curr_items: 2,
    total_items: 3,
    bytes: 3,
    cmd_set: 4,
    cmd_peek: 1,
    hits: 3,
    misses: 1,
    creates: 2,
    deletes: 1,
    uptimeIsANumber: true,
    time: 1_800_000_002,
    age: 2000,
    items: 2,
    mem_items: 2,
    mem_bytes: 3,
    transactions: 2,
    canceled: 1,
  });
});

test('expired, discarded, waiting, open and flushed', async () => {
  const { connect, advance } = server({
    configuration: { queues: { d: { maxItems: 1, discardOldest: true } } },
  });
  const [client, waiter] = [connect(), connect()];
  await client.ask(set('e', 'x', 0, 1));
  await fill(client, 'd', 'a', 'b');
  await client.ask('get d/open\r\nflush f\r\n');
  await fill(client, 'f', 'x');
  await client.ask('flush f\r\n');
  await waiter.ask('get w/t=60000\r\n');
  await advance(2000);
  const found = await stats(client);
  expect(found.get('queue_e_expired_items')).toBe('1');
  expect(found.get('queue_d_discarded')).toBe('1');
  expect(found.get('queue_d_open_transactions')).toBe('1');
  expect(found.get('queue_w_waiters')).toBe('1');
  expect(found.get('queue_f_total_flushes')).toBe('1');
});

test('children are listed with their parent', async () => {
  const client = server().connect();
  await fill(client, 'q', 'a');
  await client.ask('get q+a\r\nget q+b\r\n');
  expect((await stats(client)).get('queue_q_children')).toBe('q+a,q+b');
});

test('dump_stats shows the same by queue', async () => {
  const client = server().connect();
  await fill(client, 'p', 'a');
  await fill(client, 'q', 'bb');
  const one = await client.ask('dump_stats q none\r\n');
  expect(one).toMatch(/^queue 'q' \{\r\n( {2}\w+=[^\r\n]*\r\n)+\}\r\nEND\r\n$/);
  expect(one).toContain('\r\n  bytes=2\r\n');
  for (const key of kestrelQueue.split(' ')) expect(one).toContain(`  ${key}=`);
  const all = await client.ask('dump_stats\r\n');
  expect(all).toMatch(/^queue 'p' \{\r\n[\s\S]*\}\r\nqueue 'q' \{\r\n[\s\S]*\}\r\nEND\r\n$/);
});

test('figures of many queues are complete, in one piece, and hold up nobody', async () => {
  const { connect } = server({ maxQueues: 10_000 });
  const [client, other] = [connect(), connect()];
  const puts = Array.from({ length: 1000 }, (_, index) => set(`q${index}`, 'x', 0, 0, ' noreply')).join('');
  expect(await client.ask(`${puts}version\r\n`)).toBe('VERSION 1.2.3\r\n');
  client.send('stats\r\nversion\r\n');
  expect(await other.ask('version\r\n')).toBe('VERSION 1.2.3\r\n');
  let reply = '';
  while (!reply.endsWith('VERSION 1.2.3\r\n')) reply += await client.receive(1);
  expect(reply.match(/_total_items \d+\r\n/g)).toHaveLength(1000);
  expect(reply.endsWith('\r\nEND\r\nVERSION 1.2.3\r\n')).toBe(true);
});
