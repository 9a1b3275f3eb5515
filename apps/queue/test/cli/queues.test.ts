import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { rowsOf, topText } from '../../src/cli/top.ts';
import { connect, type QueueClient, type QueueStats } from '../../src/client/index.ts';
import { type CommandServer, commandServer, jsonLines } from './queue-command.ts';

vi.setConfig({ testTimeout: 180_000 });

const folder = await temporaryFolder();
let server: CommandServer;
let client: QueueClient;

beforeAll(async () => {
  server = await commandServer(join(folder.path, 'data'));
  client = await connect(server.address);
});
afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  await folder.remove();
});

test('queues and stats, for people and for programs', async () => {
  expect((await server.run(['queues'])).stdout).toBe('There is no queue.\n');
  await client.queue('jobs').putBatch(['aa', 'b']);
  await client.queue('mails').put('c');
  const { stdout } = await server.run(['queues']);
  expect(stdout.split('\n')[0]).toBe('queue  messages  size  open  waiting  age');
  expect(stdout).toMatch(/^jobs {10}2 {2}3 B /m);
  expect(jsonLines((await server.run(['queues', '--json'])).stdout)).toMatchObject([
    { name: 'jobs', messages: 2, bytes: 3, put_total: 2, open_reads: 0 },
    { name: 'mails', messages: 1 },
  ]);
  const [figures] = jsonLines((await server.run(['stats', '--json'])).stdout);
  expect(figures).toMatchObject({ curr_items: 3, threads: 1, version: expect.any(String) });
  expect((await server.run(['stats', 'jobs'])).stdout).toMatch(/^total_items +2$/m);
  const none = await server.run(['stats', 'none']);
  expect([none.code, none.stderr]).toEqual([1, 'rookery-queue: there is no queue "none"\n']);
});

test('flush and delete say what went', async () => {
  await client.queue('a').putBatch(['1', '2']);
  await client.queue('b').put('3');
  expect((await server.run(['flush', 'a', 'b'])).stdout).toBe(
    'a: 2 messages dropped\nb: 1 message dropped\n',
  );
  await client.queue('a').put('1');
  const deleted = await server.run(['delete', 'a', 'nobody']);
  expect([deleted.code, deleted.stdout]).toEqual([1, 'a: deleted, with 1 message\n']);
  expect(await client.queue('a').stats()).toBeUndefined();
  expect((await server.run(['flush'])).code).toBe(2);
  expect((await server.run(['flush', '--all'])).stdout).toMatch(/^\d+ messages? dropped from \d+ queues\n$/);
  expect((await client.queue('jobs').stats())?.messages ?? 0).toBe(0);
});

test('move and redrive say how many; pause, resume and set', async () => {
  await client.queue('from').putBatch(['1', '2', '3']);
  expect((await server.run(['move', 'from', 'to', '-n', '2'])).stdout).toBe('2 messages moved to to\n');
  expect((await server.run(['move', 'from', 'to'])).stdout).toBe('1 message moved to to\n');
  expect((await client.queue('to').getBatch(5)).map(({ text }) => text)).toEqual(['1', '2', '3']);
  expect((await server.run(['move', 'none', 'to'])).code).toBe(1);

  expect(await server.run(['set', 'work', 'dead_letter_queue=dead', 'max_items=5'])).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  });
  await client.queue('work').put('bad');
  await (await client.queue('work').open())!.bury();
  expect((await server.run(['redrive', 'dead'])).stdout).toBe('1 message put back\n');
  const [shown] = jsonLines((await server.run(['set', 'work', '--json'])).stdout);
  expect(shown).toMatchObject({ dead_letter_queue: 'dead', max_items: 5, paused: false });
  expect((await server.run(['set', 'work', 'max_items='])).code).toBe(0);
  expect((await server.run(['set', 'work'])).stdout).toMatch(/^max_items$/m);
  const wrong = await server.run(['set', 'work', 'max_items=many']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('max_items')]);

  expect((await server.run(['pause', 'work'])).code).toBe(0);
  expect((await server.run(['get', 'work'])).code).toBe(1);
  expect((await server.run(['resume', 'work'])).code).toBe(0);
  expect((await server.run(['get', 'work'])).stdout).toBe('bad\n');
});

test('a name can’t steer the terminal of who lists it', async () => {
  await client.queue('\u001b[2J').put('x');
  expect((await server.run(['queues'])).stdout).toContain('\\x1b[2J ');
  await client.queue('\u001b[2J').delete();
});

test('top gives rates between its looks, and ends after so many', async () => {
  const busy = client.queue('busy');
  const puts = [busy.put('x')];
  await puts[0];
  const putting = setInterval(() => puts.push(busy.put('x')), 5);
  const { code, stdout } = await server.run(['top', '--json', '--count', '3', '--interval', '1s']);
  clearInterval(putting);
  await Promise.all(puts);
  const looks = jsonLines(stdout) as { queues: { name: string; put_per_second: number }[] }[];
  expect([code, looks.length]).toEqual([0, 3]);
  const rates = looks.map(({ queues }) => queues.find(({ name }) => name === 'busy')!.put_per_second);
  expect(rates[0]).toBe(0);
  expect(rates[2]).toBeGreaterThan(10);
  expect(rates[2]).toBeLessThan(400);
});

const queue = (name: string, messages: number, putTotal: number): QueueStats => ({
  name,
  messages,
  bytes: 0,
  ageMs: 0,
  openReads: 0,
  waitingReads: 0,
  putTotal,
  expiredTotal: 0,
  discardedTotal: 0,
  refusedTotal: 0,
  openedTotal: 0,
  abortedTotal: 0,
  figures: new Map(),
});

test('a rate is what came and went since the last look, also after a restart of the server', () => {
  const before = new Map([
    ['a', queue('a', 10, 100)],
    ['again', queue('again', 5, 900)],
  ]);
  const rows = rowsOf([queue('a', 8, 140), queue('again', 2, 4), queue('new', 3, 6)], before, 2);
  expect(rows.map(({ rates }) => [rates.putPerSecond, rates.gonePerSecond])).toEqual([
    [20, 21],
    [2, 1],
    [3, 2],
  ]);
  expect(rowsOf([queue('a', 8, 140)], before, 0)[0]!.rates).toEqual({ putPerSecond: 0, gonePerSecond: 0 });
  const lines = topText(rows, 'here', new Date()).split('\n');
  expect(lines.slice(3).map((line) => line.split(' ')[0])).toEqual(['a', 'new', 'again', '']);
});

test('bench puts and takes, cleans up after itself, and takes nothing of others', async () => {
  const args = ['bench', '-n', '2000', '--connections', '2', '--pipeline', '8', '--json'];
  const { code, stdout } = await server.run(args);
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([
    { what: 'put', messages: 2000, message_bytes: 100, latency_ms: { p50: expect.any(Number) } },
    { what: 'get', messages: 2000, messages_per_second: expect.any(Number) },
  ]);
  expect(await client.queue('rookery-bench').stats()).toBeUndefined();
  await client.queue('mine').put('x');
  const refused = await server.run([...args, '--queue', 'mine']);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect((await client.queue('mine').stats())!.messages).toBe(1);
});
