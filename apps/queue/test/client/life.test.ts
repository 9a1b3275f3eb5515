import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect, type QueueClient, type QueueError } from '../../src/client/index.ts';
import { QueueServer } from '../../src/index.ts';

// Delays, priorities, ids, dead letters, pause and settings: docs/protocol-messages.md.

const folder = await temporaryFolder();
const server = new QueueServer({
  settings: { port: 0, adminPort: 0, data: join(folder.path, 'data'), sync: 'never' },
});
let client: QueueClient;
let number = 0;
let name: string;

beforeAll(() => server.start());
afterAll(async () => {
  await server.stop();
  await folder.remove();
});
beforeEach(async () => {
  client = await connect(server.address!);
  name = `q${number++}`;
});
afterEach(() => client.close());

const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: QueueError) => error.code,
  );
const texts = async (): Promise<string[]> => (await client.queue(name).getBatch(100)).map(({ text }) => text);

test('a delayed message comes when its time has come, behind what was put since', async () => {
  const queue = client.queue(name);
  // Longer than a busy machine keeps the next three calls waiting.
  await queue.put('late', { delayMs: 1500 });
  await queue.put('now');
  expect((await queue.get())?.text).toBe('now');
  expect(await queue.get()).toBeUndefined();
  expect((await queue.get({ waitMs: 30_000 }))?.text).toBe('late');
});

test('the most urgent first', async () => {
  const queue = client.queue(name);
  await queue.put('idle', { priority: 9 });
  await queue.put('normal');
  await queue.put('urgent', { priority: 0 });
  const found = await queue.getBatch(5);
  expect(found.map(({ text, priority }) => [text, priority])).toEqual([
    ['urgent', 0],
    ['normal', 5],
    ['idle', 9],
  ]);
});

test('a message with an id is stored once, and says which it has', async () => {
  const queue = client.queue(name);
  expect(await queue.put('a', { id: 'order-17' })).toEqual({ duplicate: false });
  expect(await queue.put('a', { id: 'order-17' })).toEqual({ duplicate: true });
  expect((await queue.get())?.id).toBe('order-17');
  expect(await queue.get()).toBeUndefined();
});

test('a put whose answer was lost is repeated if it has an id, and stored once; without one it is told', async () => {
  const sockets = new Set<Socket>();
  let answersLost = 2;
  // Carries everything to the server, and loses its first two answers with their connections.
  const proxy = createServer((near) => {
    const far = connectSocket(server.address!);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          near.destroy();
          far.destroy();
        });
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      if (answersLost-- > 0) near.destroy();
      else near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  const through = await connect({ host: '127.0.0.1', port }, { settings: { retryMs: 5 } });
  const queue = through.queue(name);
  expect(await queue.put('once', { id: 'x' })).toEqual({ duplicate: true });
  expect(await texts()).toEqual(['once']);
  answersLost = 1;
  await expect(queue.put('perhaps')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', sent: true });
  expect(await texts()).toEqual(['perhaps']);
  await through.close();
  proxy.close();
  for (const socket of sockets) socket.destroy();
});

test('deliveries are counted; after so many a message is a dead letter, and redrive brings it back', async () => {
  const queue = client.queue(`${name} é`);
  const dead = client.queue(`${name}-dead`);
  await queue.configure({ max_deliveries: 2, dead_letter_queue: dead.name });
  await queue.put('poison', { priority: 2, id: 'p', flags: 9 });
  for (const delivery of [1, 2]) {
    const message = (await queue.open())!;
    expect(message.deliveries).toBe(delivery);
    await message.abort();
  }
  expect(await queue.get()).toBeUndefined();
  const letter = (await dead.peek())!;
  expect([letter.text, letter.origin, letter.priority, letter.id, letter.flags]).toEqual([
    'poison',
    queue.name,
    2,
    'p',
    9,
  ]);
  expect(await dead.redrive()).toBe(1);
  expect((await queue.open())!.deliveries).toBe(1);
});

test('bury makes a dead letter at once', async () => {
  const queue = client.queue(name);
  await queue.configure({ dead_letter_queue: `${name}-dead` });
  await queue.put('bad');
  const message = (await queue.open())!;
  await message.bury();
  expect(message.open).toBe(false);
  expect((await client.queue(`${name}-dead`).get())?.text).toBe('bad');
  expect(await code(message.bury())).toBe('NOT_OPEN');
});

test('redrive moves a whole queue into another, and says how far it is', async () => {
  const queue = client.queue(name);
  await queue.putBatch(Array.from({ length: 2500 }, (_, index) => String(index)));
  const steps: number[] = [];
  const to = `${name}-to é`;
  expect(await queue.redrive({ to, onProgress: (moved) => steps.push(moved) })).toBe(2500);
  expect(steps).toEqual([1000, 2000, 2500]);
  expect((await client.queue(to).stats())!.messages).toBe(2500);
  expect(await client.queue(to).redrive({ to: name, count: 3 })).toBe(3);
  expect(await texts()).toEqual(['0', '1', '2']);
});

test('given back with a delay it comes later; touched it stays longer', async () => {
  const queue = client.queue(name);
  await queue.configure({ open_read_timeout_ms: 1000 });
  await queue.put('a');
  const message = (await queue.open())!;
  await message.touch({ timeMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect((await queue.stats())!.openReads).toBe(1);
  await message.abort({ delayMs: 1500 });
  expect(await queue.get()).toBeUndefined();
  expect((await queue.get({ waitMs: 30_000 }))?.text).toBe('a');
});

test('what the server refuses to give back later is back at once, and not held by nobody', async () => {
  const queue = client.queue(name);
  await queue.put('x');
  const message = (await queue.open())!;
  expect(await code(message.abort({ delayMs: 1e14 }))).toBe('BAD_ARGUMENT');
  expect((await queue.get({ waitMs: 30_000 }))?.text).toBe('x');
});

test('several are opened at once, and settled in any order', async () => {
  const queue = client.queue(name);
  await queue.putBatch(['a', 'b', 'c', 'd']);
  const [a, b, c] = await queue.openBatch(3);
  expect([a!.text, b!.text, c!.text]).toEqual(['a', 'b', 'c']);
  await Promise.all([c!.acknowledge(), a!.acknowledge()]);
  await b!.abort();
  expect(await texts()).toEqual(['b', 'd']);
  expect(await queue.openBatch(3, { waitMs: 10 })).toEqual([]);
});

test('a paused queue takes puts and gives nothing, also to a loop that waits; then it goes on', async () => {
  const queue = client.queue(name);
  await queue.put('first');
  const messages = queue.consume({ prefetch: 4 });
  const { value: first } = await messages.next();
  await queue.pause();
  await queue.put('second');
  let second: string | undefined;
  void messages.next().then(({ value }) => {
    second = value?.text;
  });
  const asked = Number((await client.stats()).get('cmd_get'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(second).toBeUndefined();
  // It doesn't ask again and again what a paused queue shows.
  expect(Number((await client.stats()).get('cmd_get')) - asked).toBeLessThan(40);
  expect((await queue.peek())?.text).toBe('second');
  await first!.acknowledge();
  await queue.resume();
  await waitFor(() => second === 'second', { what: 'the second' });
  await messages.return!();
});

test('while messages are open and no more are there, a put is seen at once, and acknowledgements aren’t held up', async () => {
  const queue = client.queue(name);
  await queue.put('slow');
  const messages = queue.consume({ prefetch: 4 });
  const { value: slow } = await messages.next();
  const next = messages.next();
  await waitFor(async () => (await queue.stats())!.waitingReads === 1, { what: 'the wait' });
  const begun = performance.now();
  await slow!.acknowledge();
  // The wait beside it lasts a minute.
  expect(performance.now() - begun).toBeLessThan(15_000);
  await queue.put('quick');
  expect((await next).value?.text).toBe('quick');
  await messages.return!();
  expect(await texts()).toEqual(['quick']);
});

test('settings are shown and changed while it runs, all of them or none', async () => {
  const queue = client.queue(name);
  expect(await queue.settings()).toBeUndefined();
  await queue.configure({ max_items: 1, open_read_timeout_ms: '30s' });
  expect(await queue.settings()).toMatchObject({ max_items: 1, open_read_timeout_ms: 30_000, paused: false });
  await queue.put('a');
  expect(await code(queue.put('b'))).toBe('QUEUE_FULL');
  expect(await code(queue.configure({ max_items: 'many', paused: true }))).toBe('BAD_ARGUMENT');
  expect(await code(queue.configure({ nonsense: 1 }))).toBe('BAD_ARGUMENT');
  await queue.configure({ max_items: null });
  await queue.put('b');
  expect(await texts()).toEqual(['a', 'b']);
});

test('arguments that can’t be are told before anything is sent', async () => {
  const queue = client.queue(name);
  expect(() => queue.put('x', { priority: 10 })).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  expect(() => queue.put('x', { id: 'a b' })).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  expect(() => queue.put('x', { delayMs: -1 })).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  expect(await code(queue.put('x', { delayMs: 1e15 }))).toBe('BAD_ARGUMENT');
  expect(await code(queue.getBatch(1_000_000))).toBe('BAD_ARGUMENT');
  for (const waitMs of [Number.POSITIVE_INFINITY, 1e10, Number.NaN]) {
    expect(await code(queue.get({ waitMs }))).toBe('BAD_ARGUMENT');
    expect(await code(queue.open({ waitMs }))).toBe('BAD_ARGUMENT');
    expect(await code(queue.peek({ waitMs }))).toBe('BAD_ARGUMENT');
    expect(() => queue.consume({ idleMs: waitMs })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  }
});
