import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Random, startProcess, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { type ForwardedMessage, forward } from '../../src/forward/forward.ts';
import { openQueueLink } from '../../src/forward/queue-link.ts';
import { busCommand, untilMembers } from '../cli/bus-command.ts';
import { type DaemonProcess, PATIENT, startDaemon, startRing } from '../daemon-process.ts';
import { depth, startQueue, taken } from './queue-process.ts';

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await startDaemon({ flags: ['--keep', 'kept.*'] });
});
afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
});

// ROOKERY_TEST_KILLS=20 is the full size.
const KILLS = Number(process.env.ROOKERY_TEST_KILLS ?? 2);
const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 1_000_000);
const LIFE_MS = 400;

function startForward(url: string, group: string, port: number, ...flags: readonly string[]) {
  return startProcess({
    ...busCommand('forward', group, '--queue', `127.0.0.1:${port}/jobs`, '--url', url, ...flags),
    readyPattern: /forwarding \S+ to/,
    readyWithinMs: 30_000,
  });
}

/** All that comes to be in the queue, up to the last one. */
async function takenUntil(port: number, last: string): Promise<string[]> {
  const found: string[] = [];
  await waitFor(
    async () => {
      found.push(...(await taken(port, 'jobs')));
      return found.at(-1) === last;
    },
    {
      what: last,
      withinMs: 30_000,
      everyMs: 50,
      detail: () => `${found.length}, the last is ${found.at(-1)}`,
    },
  );
  return found;
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `job ${index}`);
}

test(
  `the queue and the forwarder are killed ${KILLS} times: the queue has each message of a kept group once, in order`,
  async () => {
    await using folder = await temporaryFolder();
    const random = new Random(SEED);
    const data = join(folder.path, 'queue');
    const flags = ['--cursor', join(folder.path, 'cursor')];
    let queue = await startQueue(data);
    const port = Number(queue.ready![1]);
    let forwarder = await startForward(daemon.webSocketUrl, 'kept.killed', port, ...flags);
    const bus = await connect(daemon.webSocketUrl);
    let published = 0;
    const timer = setInterval(() => {
      for (let count = 0; count < 5; count++) bus.send('kept.killed', `job ${published++}`);
    }, 5);
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await new Promise((resolve) => setTimeout(resolve, random.between(0, LIFE_MS)));
        const victim = kill % 2 === 0 ? queue : forwarder;
        victim.kill('SIGKILL');
        await victim.waitForExit();
        if (victim === queue) queue = await startQueue(data, port);
        else forwarder = await startForward(daemon.webSocketUrl, 'kept.killed', port, ...flags);
      }
      clearInterval(timer);
      await bus.multicast('kept.killed', `job ${published++}`);
      const found = await takenUntil(port, `job ${published - 1}`);
      expect(found, `seed ${SEED}`).toEqual(numbered(published));
      forwarder.kill('SIGINT');
      expect(await forwarder.waitForExit()).toMatchObject({ code: 130 });
    } finally {
      clearInterval(timer);
      await forwarder[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      await bus.close();
    }
  },
  60_000 + KILLS * 15_000,
);

test('what one keeper’s forwarder has put into the queue, another keeper’s doesn’t put there again', async () => {
  await using folder = await temporaryFolder();
  await using queue = await startQueue(folder.path);
  const port = Number(queue.ready![1]);
  const [first, second] = (await startRing(2, { flags: [...PATIENT, '--keep', 'kept'] })) as [
    DaemonProcess,
    DaemonProcess,
  ];
  try {
    const bus = await connect(first.webSocketUrl);
    const other = await connect(second.webSocketUrl);
    const wanted = numbered(200);
    const origin = (index: number) => ({ publisher: '0123456789abcdef'.repeat(2), sequence: index + 1 });
    for (const [index, text] of wanted.entries()) {
      // From both, and some with what their publisher calls them.
      const from = index % 3 === 0 ? other : bus;
      await from.multicast('kept', text, index % 2 === 0 ? {} : { origin: origin(index) });
    }
    for (const { webSocketUrl } of [first, second]) {
      await using forwarder = await startForward(webSocketUrl, 'kept', port, '--from', 'start');
      const last = `end of ${webSocketUrl}`;
      await bus.multicast('kept', last);
      await waitFor(
        async () =>
          (await depth(port, 'jobs')) === wanted.length + (webSocketUrl === first.webSocketUrl ? 1 : 2),
        {
          what: 'all in the queue',
          withinMs: 30_000,
          detail: () => forwarder.output,
        },
      );
      forwarder.kill('SIGINT');
      await forwarder.waitForExit();
      expect(forwarder.stderr).toMatch(/20[12] stored/);
    }
    expect(await taken(port, 'jobs')).toEqual([
      ...wanted,
      `end of ${first.webSocketUrl}`,
      `end of ${second.webSocketUrl}`,
    ]);
    await bus.close();
    await other.close();
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
}, 120_000);

test('a full queue holds the forwarder up, and has all in order when it is read', async () => {
  await using folder = await temporaryFolder();
  const config = join(folder.path, 'queue.toml');
  await writeFile(config, '[queues.jobs]\nmax_items = 50\n');
  await using queue = await startQueue(join(folder.path, 'data'), 0, '--config', config);
  const port = Number(queue.ready![1]);
  await using forwarder = await startForward(daemon.webSocketUrl, 'orders', port);
  await untilMembers(daemon, 'orders', 1);
  const bus = await connect(daemon.webSocketUrl);
  const wanted = numbered(400);
  for (const text of wanted.slice(0, 60)) bus.send('orders', text);
  await waitFor(() => forwarder.stderr.includes('the queue is full'), { what: 'the queue to be full' });
  for (const text of wanted.slice(60)) bus.send('orders', text);
  expect(await takenUntil(port, wanted.at(-1)!)).toEqual(wanted);
  forwarder.kill('SIGINT');
  expect(await forwarder.waitForExit()).toMatchObject({ code: 130 });
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
});

test('a queue without the meta commands is put to by set; one that is full is asked again', async () => {
  const got: string[] = [];
  // The four that are on their way at once, and the first of them twice more.
  let refusals = 6;
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
  expect(got).toEqual(bodies);
  expect(counts).toEqual({ stored: 4, repeated: 6, refused: 0 });
  old.close();
});
