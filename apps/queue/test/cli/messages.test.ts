import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { connect, type QueueClient } from '../../src/client/index.ts';
import { type CommandServer, commandServer, jsonLines, shellCommand } from './queue-command.ts';

vi.setConfig({ testTimeout: 180_000 });

const folder = await temporaryFolder();
let server: CommandServer;
let client: QueueClient;
let name: string;
let number = 0;

beforeAll(async () => {
  server = await commandServer(join(folder.path, 'data'));
  client = await connect(server.address);
});
afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  await folder.remove();
});
beforeEach(() => {
  name = `q${number++}`;
});
afterEach(async () => {
  expect((await client.queue(name).stats())?.openReads ?? 0).toBe(0);
});

const texts = async (): Promise<string[]> => (await client.queue(name).getBatch(100)).map(({ text }) => text);

test('put takes its words, standard input, or a message a line; get prints them in order', async () => {
  const silent = { code: 0, stdout: '', stderr: '' };
  expect(await server.run(['put', name, 'hello', 'world', '--flags', '7', '--expires', '1h'])).toEqual(
    silent,
  );
  expect(await server.run(['put', name, '--sync'], "printf 'two\\nlines'")).toEqual(silent);
  expect(await server.run(['put', name, '--lines'], 'seq 1 3')).toEqual(silent);
  const peeked = await server.run(['peek', name, '--json']);
  expect(jsonLines(peeked.stdout)).toEqual([
    { queue: name, flags: 7, priority: 5, expires_in_seconds: expect.any(Number), body: 'hello world' },
  ]);
  expect(await server.run(['get', name])).toEqual({ ...silent, stdout: 'hello world\n' });
  expect((await server.run(['get', name, '--count', '9'])).stdout).toBe('two\nlines\n1\n2\n3\n');
});

test('with a delay, a priority, and an id that is stored once', async () => {
  const put = (...args: string[]) => server.run(['put', name, ...args]);
  await put('late', '--delay', '60s');
  await put('normal', '--id', 'x');
  await put('normal', '--id', 'x');
  await put('urgent', '--priority', '0');
  const { stdout } = await server.run(['get', name, '-n', '5', '--json']);
  expect(jsonLines(stdout)).toEqual([
    { queue: name, flags: 0, priority: 0, deliveries: 1, body: 'urgent' },
    { queue: name, flags: 0, priority: 5, id: 'x', deliveries: 1, body: 'normal' },
  ]);
  expect((await put('--lines', '--id', 'x')).code).toBe(2);
});

test('ten thousand lines', async () => {
  expect((await server.run(['put', name, '--lines'], 'seq 1 10000')).stderr).toBe('');
  const stats = (await client.queue(name).stats())!;
  expect([stats.messages, stats.putTotal]).toEqual([10_000, 10_000]);
  expect((await client.queue(name).get())?.text).toBe('1');
});

test('with nothing there get and peek print nothing and exit with 1; with a wait get waits', async () => {
  const nothing = { code: 1, stdout: '', stderr: '' };
  expect(await server.run(['get', name, '--wait', '50ms'])).toEqual(nothing);
  expect(await server.run(['peek', name])).toEqual(nothing);
  const waiting = server.run(['get', name, '--wait', '30s']);
  await waitFor(async () => ((await client.queue(name).stats())?.waitingReads ?? 0) > 0, {
    what: 'the wait',
    withinMs: 30_000,
  });
  await client.queue(name).put(new Uint8Array([0xff, 0]));
  expect((await waiting).code).toBe(0);
});

test('a body that is no UTF-8 is base64 in JSON', async () => {
  await client.queue(name).put(new Uint8Array([0xff, 0]));
  const [line] = jsonLines((await server.run(['get', name, '--json'])).stdout);
  expect(line).toEqual({ queue: name, flags: 0, priority: 5, deliveries: 1, body_base64: '/wA=' });
});

test('a reader that has enough closes the pipe: quietly, and what it did not get is still there', async () => {
  await client
    .queue(name)
    .putBatch(Array.from({ length: 5000 }, (_, index) => `${index} ${'x'.repeat(100)}`));
  const line = `${shellCommand('get', name, '--follow')} | head -n 2 | cut -c -3`;
  await using head = await startProcess({ command: 'bash', args: ['-c', line], env: server.env });
  await head.waitForExit(60_000);
  expect([head.stdout, head.stderr]).toEqual(['0 x\n1 x\n', '']);
  await waitFor(async () => (await client.queue(name).stats())!.openReads === 0, { what: 'them to go back' });
  // What had been written into the pipe has been taken.
  const left = (await client.queue(name).stats())!.messages;
  expect(left).toBeGreaterThan(3000);
  expect(left).toBeLessThan(4999);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends a get that follows, and takes nothing more',
  async (signal) => {
    await using following = await server.start('get', name, '--follow');
    await waitFor(async () => ((await client.queue(name).stats())?.waitingReads ?? 0) > 0, {
      what: 'the wait',
      withinMs: 30_000,
    });
    await client.queue(name).put('seen');
    await waitFor(() => following.stdout === 'seen\n', { what: 'the message' });
    following.kill(signal);
    expect((await following.waitForExit()).code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(following.stderr).toBe('');
    await client.queue(name).put('kept');
    expect(await texts()).toEqual(['kept']);
  },
);

test('--exec runs a command with each; what it fails for goes back, and the exit code says so', async () => {
  await client.queue(name).putBatch(['a', 'b', 'c', 'd']);
  const out = join(folder.path, 'seen');
  const script = `read body; [ $body = b ] && exit 1; echo $body $ROOKERY_MESSAGE_QUEUE >> '${out}'`;
  const ran = await server.run(['get', name, '--count', '4', '--jobs', '4', '--exec', script]);
  expect([ran.code, ran.stderr]).toEqual([1, '']);
  const seen = (await readFile(out, 'utf8')).trim().split('\n');
  expect(seen.sort()).toEqual(['a', 'c', 'd'].map((body) => `${body} ${name}`));
  expect(await texts()).toEqual(['b']);
  await client.queue(name).put('e');
  expect((await server.run(['get', name, '--exec', 'true'])).code).toBe(0);
});

test('--cursor reads along and leaves the messages', async () => {
  await client.queue(name).putBatch(['a', 'b']);
  expect((await server.run(['get', name, '--cursor', 'audit', '-n', '9'])).stdout).toBe('a\nb\n');
  expect((await server.run(['get', name, '--cursor', 'audit'])).code).toBe(1);
  expect(await texts()).toEqual(['a', 'b']);
});

test('export writes all and takes them, or leaves them and remembers where it was', async () => {
  await client.queue(name).putBatch(['a', 'b']);
  const kept = await server.run(['export', name, '--cursor', 'backup']);
  expect(jsonLines(kept.stdout).map(({ body }) => body)).toEqual(['a', 'b']);
  expect(kept.code).toBe(0);
  await client.queue(name).put('c');
  expect((await server.run(['export', name, '--cursor', 'backup', '--raw'])).stdout).toBe('c\n');
  expect((await server.run(['export', name, '--consume', '--raw'])).stdout).toBe('a\nb\nc\n');
  expect((await client.queue(name).stats())!.messages).toBe(0);
  expect((await server.run(['export', name])).code).toBe(2);
});

test('a file that takes no more ends an export with a line, and what it has not whole is still there', async () => {
  const bodies = ['a', 'b'].map((letter) => letter.repeat(300_000));
  await client.queue(name).putBatch(bodies);
  const file = join(folder.path, 'export');
  // As a disk that is full in the middle of the second: the last write takes a part, and the next one fails.
  const command = shellCommand('export', name, '--consume', '--raw');
  await using running = await startProcess({
    command: 'sh',
    args: ['-c', `trap '' XFSZ; ulimit -f 900; ${command} > '${file}'`],
    env: server.env,
  });
  expect((await running.waitForExit(120_000)).code).toBe(1);
  expect(running.stderr).toMatch(/^rookery-queue: EFBIG[^\n]*\n$/);
  expect((await readFile(file)).length).toBeLessThan(600_000);
  await waitFor(async () => (await client.queue(name).stats())?.openReads === 0, { what: 'all to be back' });
  expect(await texts()).toContain(bodies[1]);
});

test('what is called wrongly exits with 2, what fails with 1, each with one line', async () => {
  const wrong = await server.run(['put', name, 'text', '--lines']);
  expect([wrong.code, wrong.stdout]).toEqual([2, '']);
  expect(wrong.stderr).toMatch(/^rookery-queue: .*--lines.*\n$/);
  expect((await server.run(['get', name, '--wait', 'soon'])).code).toBe(2);
  expect((await server.run(['get', 'x'.repeat(251)])).code).toBe(2);
  const nobody = await server.run(['get', name, '--server', join(folder.path, 'nobody')]);
  expect([nobody.code, nobody.stdout]).toEqual([1, '']);
  expect(nobody.stderr).toMatch(/^rookery-queue: .*ENOENT.*rookery-queue serve.*\n$/);
});
