import { join } from 'node:path';
import { temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { rowsOf, topText } from '../../src/cli/top.ts';
import { connect, type QueueClient, type QueueStats } from '../../src/client/index.ts';
import { type CommandServer, commandServer, jsonLines } from './queue-command.ts';

vi.setConfig({ testTimeout: 60_000 });

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
  await client.queue('jobs').putAll(['aa', 'b']);
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
  await client.queue('a').putAll(['1', '2']);
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

test('top gives rates between its looks, and ends after so many', async () => {
  const putting = setInterval(() => void client.queue('busy').put('x'), 5);
  const { code, stdout } = await server.run(['top', '--json', '--count', '3', '--interval', '300ms']);
  clearInterval(putting);
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
