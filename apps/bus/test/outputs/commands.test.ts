import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { type ForwardedMessage, forward } from '../../src/forward/forward.ts';
import { openQueueLink } from '../../src/forward/queue-link.ts';
import { frame } from '../../src/monitor/monitor.ts';
import { busCommand, untilMembers } from '../cli/bus-command.ts';
import { type DaemonProcess, startDaemon } from '../daemon-process.ts';

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon({ flags: ['--keep', 'kept'] });
}, 60_000);
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
}, 60_000);

/** A real queue, which is another app and another process. */
function startQueue(data: string, port = 0): Promise<RunningProcess> {
  const cli = fileURLToPath(new URL('../../../queue/src/cli.ts', import.meta.url));
  const run = `const { main } = await import(${JSON.stringify(cli)}); await main(['', '', ...process.argv.slice(1)])`;
  return startProcess({
    command: process.execPath,
    args: [
      ...['--conditions=@rookery/source', '--eval', run, '--', 'serve', '--data', data],
      ...['--port', String(port), '--admin-port', '0', '--log-format', 'json'],
    ],
    readyPattern: /"port":(\d+),.*"msg":"listening on/,
    readyWithinMs: 30_000,
  });
}

/** What is in the queue, taken out of it. */
async function taken(port: number, queue: string): Promise<string[]> {
  const { connect: connectTcp } = await import('node:net');
  const socket = connectTcp(port, '127.0.0.1');
  const found: string[] = [];
  let text = '';
  for (;;) {
    socket.write(`get ${queue}\r\n`);
    while (!text.endsWith('END\r\n')) {
      text += await new Promise<string>((resolve) =>
        socket.once('data', (chunk) => resolve(chunk.toString())),
      );
    }
    const value = /^VALUE \S+ \d+ \d+\r\n([\s\S]*)\r\nEND\r\n$/.exec(text);
    text = '';
    if (value === null) break;
    found.push(value[1]!);
  }
  socket.destroy();
  return found;
}

test('record writes what comes to its groups, each to its own file, and finishes with what it has', async () => {
  await using folder = await temporaryFolder();
  await using recording = await startProcess({
    ...busCommand(
      ...['record', 'a', 'b', '-d', folder.path, '--url', daemon.webSocketUrl],
      ...['--file-name', '%g.log', '--max-bytes', '1KiB'],
    ),
    readyPattern: /recording a b in/,
    readyWithinMs: 30_000,
  });
  const bus = await connect(daemon.webSocketUrl);
  for (let index = 0; index < 200; index++) bus.send(index % 10 === 0 ? ['a', 'b'] : 'a', `line ${index}`);
  await bus.multicast('a', 'last');
  const all = async (group: string): Promise<string> => {
    const names = (await readdir(folder.path)).filter((name) => name.startsWith(`${group}.log`));
    const number = (name: string): number => Number(/\.log\.(\d+)/.exec(name)?.[1] ?? 0);
    names.sort((x, y) => number(x) - number(y));
    return (await Promise.all(names.map((name) => readFile(join(folder.path, name), 'utf8')))).join('');
  };
  await waitFor(async () => (await all('a')).endsWith('last\n'), { what: 'the last line' });
  recording.kill('SIGINT');
  expect(await recording.waitForExit()).toMatchObject({ code: 130 });
  expect(await all('a')).toBe(
    `${Array.from({ length: 200 }, (_, index) => `line ${index}\n`).join('')}last\n`,
  );
  expect((await all('b')).split('\n')).toHaveLength(21);
  await bus.close();
}, 60_000);

test('forward puts a group into a queue, in order, through a restart of the queue', async () => {
  await using folder = await temporaryFolder();
  await using queue = await startQueue(folder.path);
  const port = Number(queue.ready![1]);
  await using forwarding = await startProcess(
    busCommand('forward', 'orders', '--queue', `127.0.0.1:${port}/jobs`, '--url', daemon.webSocketUrl),
  );
  await untilMembers(daemon, 'orders', 1);
  const bus = await connect(daemon.webSocketUrl);
  const wanted = Array.from({ length: 1000 }, (_, index) => `order ${index}`);
  for (const text of wanted.slice(0, 500)) bus.send('orders', text);
  await bus.multicast('orders', wanted[500]!);
  queue.kill('SIGKILL');
  await queue.waitForExit();
  for (const text of wanted.slice(501)) bus.send('orders', text);
  await waitFor(
    () =>
      forwarding.stderr.includes('the queue can’t be reached') ||
      forwarding.stderr.includes("can't be reached"),
    {
      what: 'the forwarder to notice',
    },
  );
  await using _again = await startQueue(folder.path, port);
  const found: string[] = [];
  await waitFor(
    async () => {
      found.push(...(await taken(port, 'jobs')));
      return found.at(-1) === wanted.at(-1);
    },
    {
      what: 'the last message',
      withinMs: 20_000,
      everyMs: 100,
      detail: () => `${found.length}, ${found.at(-1)}`,
    },
  );
  // The queue drops what it is sent again by its id, but for those of a queue that died before it kept the id.
  expect([...new Set(found)]).toEqual(wanted);
  forwarding.kill('SIGINT');
  expect(await forwarding.waitForExit()).toMatchObject({ code: 130 });
  await bus.close();
}, 90_000);

test('a forwarder that is killed goes on behind its cursor: the queue has each message of a kept group once', async () => {
  await using folder = await temporaryFolder();
  await using queue = await startQueue(join(folder.path, 'queue'));
  const port = Number(queue.ready![1]);
  const cursor = join(folder.path, 'cursor');
  const start = () =>
    startProcess(
      busCommand(
        ...['forward', 'kept', '--queue', `127.0.0.1:${port}/jobs`, '--cursor', cursor],
        ...['--url', daemon.webSocketUrl],
      ),
    );
  const bus = await connect(daemon.webSocketUrl);
  const first = await start();
  let sent = 0;
  // It reads from now on: until it has stored a place, nobody knows whether it has begun.
  await waitFor(
    async () => {
      await bus.multicast('kept', `job ${sent++}`);
      return existsSync(cursor);
    },
    { what: 'the first place', withinMs: 30_000, everyMs: 50 },
  );
  for (let index = 0; index < 500; index++) bus.send('kept', `job ${sent++}`);
  first.kill('SIGKILL');
  await first.waitForExit();
  await bus.multicast('kept', `job ${sent++}`);
  await using _second = await start();
  const found: string[] = [];
  await waitFor(
    async () => {
      found.push(...(await taken(port, 'jobs')));
      return found.at(-1) === `job ${sent - 1}`;
    },
    {
      what: 'the last message',
      withinMs: 30_000,
      everyMs: 100,
      detail: () => `${found.length}, ${found.at(-1)}`,
    },
  );
  const numbers = found.map((text) => Number(text.slice(4)));
  expect(numbers).toEqual(Array.from({ length: sent - numbers[0]! }, (_, index) => numbers[0]! + index));
  await bus.close();
}, 90_000);

test('a queue that drops the connection before its answer has each message once, by its id', async () => {
  await using folder = await temporaryFolder();
  await using queue = await startQueue(folder.path);
  const port = Number(queue.ready![1]);
  const link = await openQueueLink({ host: '127.0.0.1', port }, 'q');
  expect(link.deduplicates).toBe(true);
  expect(await link.put(Buffer.from('one'), 'id-1')).toBe('stored');
  link.close();
  const again = await openQueueLink({ host: '127.0.0.1', port }, 'q');
  expect(await again.put(Buffer.from('one'), 'id-1')).toBe('stored');
  expect(await again.put(Buffer.alloc(64 * 1024 * 1024), 'id-2')).toMatchObject({
    refused: expect.any(String),
  });
  again.close();
  expect(await taken(port, 'q')).toEqual(['one']);
}, 60_000);

test('a queue without the meta commands is put to by set; one that is full is asked again', async () => {
  const got: string[] = [];
  let refusals = 3;
  const old = createServer((socket) => {
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      for (;;) {
        const request = /^(mn)\r\n|^set q 0 0 (\d+)\r\n/.exec(rest);
        if (request === null) return;
        if (request[1] !== undefined) socket.write('ERROR\r\n');
        else {
          const length = Number(request[2]);
          if (rest.length < request[0].length + length + 2) return;
          const body = rest.slice(request[0].length, request[0].length + length);
          rest = rest.slice(length + 2);
          if (refusals-- > 0) socket.write('NOT_STORED\r\n');
          else {
            got.push(body);
            socket.write('STORED\r\n');
          }
        }
        rest = rest.slice(request[0].length);
      }
    });
  });
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  const { port } = old.address() as { port: number };
  const bodies = ['a', 'bb', 'ccc', 'dddd'];
  async function* messages(): AsyncGenerator<ForwardedMessage> {
    for (const body of bodies) yield { data: Buffer.from(body), id: undefined };
  }
  const options = { address: { host: '127.0.0.1', port }, queue: 'q', tell: () => undefined };
  const counts = await forward(messages(), options, new AbortController().signal);
  expect(got.sort()).toEqual(bodies);
  expect(counts).toEqual({ stored: 4, repeated: 3, refused: 0 });
  old.close();
});

test('monitor tells a line a second where there is no terminal, and fits the screen where there is', async () => {
  await using watching = await startProcess({
    ...busCommand('monitor', '--admin-url', daemon.adminUrl),
    readyPattern:
      /^\S+Z d1 operational daemons=1 groups=\d+ sessions=\d+ in=\d+\/s out=\d+\/s waiting=\S+\n/m,
    readyWithinMs: 40_000,
  });
  watching.kill('SIGINT');
  expect(await watching.waitForExit()).toEqual({ code: 130, signal: null });
  const drawn = frame('one\ntwo is long\nthree\n', new Date(0), { rows: 3, columns: 5 });
  expect(drawn.split('\r\n')).toHaveLength(3);
  expect(drawn).toContain('two i\x1b[K');
}, 60_000);
