import { once } from 'node:events';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { freePort, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, expect, test } from 'vitest';
import { connect, type QueueError, type StateChange } from '../../src/client/index.ts';
import { QueueServer } from '../../src/index.ts';
import { startQueue } from '../queue-process.ts';

const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: QueueError) => error.code,
  );

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that does with its connections what a test says. */
async function rudeServer(onConnection: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.on('close', () => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = server.close.bind(server);
  server.close = (callback) => {
    for (const socket of sockets) socket.destroy();
    return close(callback);
  };
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

test('a server that is killed and comes back: what was answered is there once, what wasn’t is told', async () => {
  await using folder = await temporaryFolder();
  const port = await freePort();
  const start = () => startQueue({ dataDirectory: folder.path, flags: ['--port', String(port)] });
  let server = await start();
  const states: string[] = [];
  await using client = await connect(`127.0.0.1:${port}`, {
    settings: { retryMaxMs: 100 },
    onState: ({ state }: StateChange) => states.push(state),
  });
  const queue = client.queue('jobs');
  const stored = new Set<string>();
  const unknown = new Set<string>();
  const seen = new Map<string, number>();
  const acknowledged = new Set<string>();
  const controller = new AbortController();

  const consuming = (async () => {
    for await (const message of queue.consume({ prefetch: 4, signal: controller.signal })) {
      seen.set(message.text, (seen.get(message.text) ?? 0) + 1);
      expect(acknowledged.has(message.text), `${message.text} came again`).toBe(false);
      // It may have been acknowledged, or it comes again: nobody knows.
      await message.acknowledge().then(
        () => acknowledged.add(message.text),
        (error: QueueError) => expect(error.code).toBe('NOT_OPEN'),
      );
    }
  })();

  let number = 0;
  const put = async (): Promise<void> => {
    const body = `job ${number++}`;
    await queue.put(body).then(
      () => stored.add(body),
      (error: QueueError) => {
        expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', sent: true });
        unknown.add(body);
      },
    );
  };
  for (let life = 0; life < 3; life++) {
    const putting = Array.from({ length: 5 }, async () => {
      for (let count = 0; count < 40; count++) await put();
    });
    await waitFor(() => acknowledged.size > 30 * (life + 1), { what: 'traffic', withinMs: 60_000 });
    await server.kill();
    server = await start();
    await Promise.all(putting);
  }
  await waitFor(async () => (await queue.stats())?.messages === 0, {
    what: 'all to be consumed',
    withinMs: 60_000,
  });
  controller.abort();
  await consuming;
  await server.kill();

  expect(stored.size + unknown.size).toBe(600);
  // Nothing that was answered is lost, and nothing was put that nobody put.
  expect([...stored].filter((body) => !seen.has(body))).toEqual([]);
  expect([...seen.keys()].filter((body) => !stored.has(body) && !unknown.has(body))).toEqual([]);
  // A server may be killed again before the client has found the last one.
  expect(states.filter((state) => state === 'connected').length).toBeGreaterThan(1);
}, 180_000);

test('calls that were not sent wait for the server; those that were and may not be repeated are told', async () => {
  let connections = 0;
  const requests: string[] = [];
  const address = await rudeServer((socket) => {
    const number = ++connections;
    socket.on('data', (chunk) => {
      requests.push(`${number}:${String(chunk)}`);
      if (number === 1) socket.destroy();
      else {
        for (const [verb] of String(chunk).matchAll(/dump_stats|ms/g)) {
          socket.write(verb === 'ms' ? 'HD\r\n' : 'END\r\n');
        }
      }
    });
  });
  await using client = await connect(address, { settings: { pipelineCalls: 2, retryMs: 1 } });
  const queue = client.queue('q');
  const first = queue.put('a');
  const stats = queue.stats();
  const third = queue.put('b');
  await expect(first).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', sent: true });
  expect(await stats).toBeUndefined();
  expect(await third).toEqual({ duplicate: false });
  expect(requests.filter((request) => request.startsWith('1:'))).toEqual([
    '1:ms q 1\r\na\r\ndump_stats q\r\n',
  ]);
  expect(requests.slice(1).join('')).toBe('2:dump_stats q\r\nms q 1\r\nb\r\n');
});

test('a server that takes all and answers nothing costs bounded memory, and each call ends in its time', async () => {
  let received = 0;
  const address = await rudeServer((socket) => {
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
  });
  const settings = { timeoutMs: 400, pipelineBytes: 100_000, waitingBytes: 1_000_000, waitingCalls: 500 };
  await using client = await connect(address, { settings });
  const queue = client.queue('q');
  const body = Buffer.alloc(1000, 'x');
  const outcomes = new Map<string, number>();
  const calls = Array.from({ length: 20_000 }, async () => {
    const outcome = await code(queue.put(body));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  });
  await Promise.all(calls);
  expect([...outcomes.keys()].sort()).toEqual(['OVERLOADED', 'TIMED_OUT']);
  expect(outcomes.get('TIMED_OUT')).toBe(500);
  expect(received).toBeLessThan(110_000);
});

test('a server that is silent while it owes an answer is given up, and asked anew', async () => {
  let connections = 0;
  const address = await rudeServer((socket) => {
    connections++;
    if (connections > 1) socket.on('data', () => socket.write('END\r\n'));
  });
  await using client = await connect(address, { settings: { answerMs: 1500, retryMs: 1 } });
  expect(await client.queue('q').stats()).toBeUndefined();
  expect(connections).toBe(2);
});

test('a call times out while nobody is there, and was not sent', async () => {
  const address = await rudeServer((socket) => void socket.end());
  await using client = await connect(address, { settings: { timeoutMs: 150, retryMs: 500 } });
  await waitFor(async () => (await code(client.queue('q').put('x', { timeoutMs: 30 }))) === 'TIMED_OUT', {
    what: 'a call without a connection',
  });
  await expect(client.queue('q').put('x', { timeoutMs: 30 })).rejects.toMatchObject({ sent: false });
});

test.each([
  ['nonsense', 'nonsense\r\n', 'BAD_REPLY'],
  ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'BAD_REPLY'],
  ['a refusal', 'SERVER_ERROR busy: the disk is behind, try again\r\n', 'BUSY'],
  ['an unknown command', 'ERROR\r\n', 'UNSUPPORTED'],
])('a server that answers %s', async (_, answer, expected) => {
  const address = await rudeServer((socket) => {
    socket.on('data', () => socket.write(answer));
  });
  await using client = await connect(address, { settings: { closeMs: 10 } });
  expect(await code(client.queue('q').put('x'))).toBe(expected);
});

test('a server that sends an endless line or a huge value is cut off, not kept in memory', async () => {
  let sent = 0;
  const address = await rudeServer((socket) => {
    socket.once('data', () => {
      socket.write('VA 999999999\r\n');
      const chunk = Buffer.alloc(65_536, 'x');
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      };
      socket.on('drain', more);
      more();
    });
  });
  await using client = await connect(address, { settings: { bodyBytes: 1024 } });
  expect(await code(client.queue('q').get())).toBe('BAD_REPLY');
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test('a connection that was never there is given up after as many attempts as are allowed', async () => {
  const port = await freePort();
  const states: StateChange[] = [];
  const settings = { connectAttempts: 3, retryMs: 1 };
  const opening = connect(
    { host: '127.0.0.1', port },
    { settings, onState: (change) => states.push(change) },
  );
  expect(await code(opening)).toBe('COULD_NOT_CONNECT');
  expect(states.filter(({ state }) => state === 'connecting')).toHaveLength(3);
  expect(states.at(-1)!.state).toBe('closed');
});

test('aborted while it connects, connect ends', async () => {
  const controller = new AbortController();
  const opening = connect(
    { host: '127.0.0.1', port: await freePort() },
    { signal: controller.signal, settings: { connectAttempts: 1000, retryMs: 1000 } },
  );
  controller.abort();
  expect(await code(opening)).toBe('ABORTED');
});

test('calls wait while the server has too many connections, and are carried out once', async () => {
  await using folder = await temporaryFolder();
  const server = new QueueServer({
    settings: { port: 0, adminPort: 0, data: folder.path, sync: 'never', maxConnections: 1 },
  });
  await server.start();
  try {
    const first = connectSocket(server.address!.port, '127.0.0.1');
    first.write('version\r\n');
    await once(first, 'data');
    let refused = 0;
    await using client = await connect(server.address!, {
      settings: { retryMaxMs: 50 },
      onState: (change: StateChange) => {
        if (change.state !== 'disconnected') return;
        expect(change.reason).toBe('it has too many connections');
        refused++;
      },
    });
    const putting = client.queue('q').putBatch(['a', 'b']);
    await waitFor(() => refused > 2, { what: 'refusals' });
    first.destroy();
    await putting;
    expect((await client.queue('q').getBatch(9)).map(({ text }) => text)).toEqual(['a', 'b']);
  } finally {
    await server.stop();
  }
});

test('a connection kept for reads that broke and may not be made again is not used again', async () => {
  await using folder = await temporaryFolder();
  const server = new QueueServer({ settings: { port: 0, adminPort: 0, data: folder.path, sync: 'never' } });
  await server.start();
  try {
    const accepted: Socket[] = [];
    const address = await rudeServer((socket) => {
      const onward = connectSocket(server.address!.port, '127.0.0.1');
      onward.on('error', () => undefined);
      socket.on('close', () => onward.destroy());
      socket.pipe(onward).pipe(socket);
      accepted.push(socket);
    });
    await using client = await connect(address, { settings: { reconnectAttempts: 0 } });
    const queue = client.queue('q');
    await queue.putBatch(['a', 'b']);
    expect((await queue.get({ waitMs: 30_000 }))?.text).toBe('a');
    expect(accepted).toHaveLength(2);
    accepted[1]!.end();
    await once(accepted[1]!, 'close');
    // The client has seen it when it has answered here.
    await queue.stats();
    expect((await queue.get({ waitMs: 30_000 }))?.text).toBe('b');
  } finally {
    await server.stop();
  }
});
