import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  connect,
  json,
  type OpenMessage,
  type QueueClient,
  QueueError,
  text,
} from '../../src/client/index.ts';
import { QueueServer } from '../../src/index.ts';

const folder = await temporaryFolder();
const socket = join(folder.path, 'queue.sock');
const server = new QueueServer({
  settings: {
    port: 0,
    adminPort: 0,
    data: join(folder.path, 'data'),
    socket,
    sync: 'never',
    maxBodyBytes: 1024 * 1024,
    queues: { small: { maxItems: 1 }, brief: { openReadTimeoutMs: 2000 } },
  },
});
let client: QueueClient;
let number = 0;
/** A name that no other test has. */
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

describe('puts and gets', () => {
  test('messages come in the order of their puts, with their flags and bytes', async () => {
    const queue = client.queue(name);
    await queue.put('first', { flags: 7 });
    await queue.put(new Uint8Array([0, 13, 10, 255]));
    await queue.put('');
    const first = (await queue.get())!;
    expect([first.text, first.flags, first.queue, first.expiresInSeconds]).toEqual([
      'first',
      7,
      name,
      undefined,
    ]);
    expect([...(await queue.get())!.body]).toEqual([0, 13, 10, 255]);
    expect((await queue.get())!.body).toHaveLength(0);
    expect(await queue.get()).toBeUndefined();
  });

  test('over a unix socket too', async () => {
    await using other = await connect(`unix:${socket}`);
    await other.queue(name).put('here');
    expect((await client.queue(name).get())?.text).toBe('here');
  });

  test('a body of a megabyte comes back whole, and one more byte is TOO_LARGE', async () => {
    const queue = client.queue(name);
    const body = Buffer.alloc(1024 * 1024, 'x');
    await queue.put(body);
    expect((await queue.get())!.body.equals(body)).toBe(true);
    expect(await code(queue.put(Buffer.alloc(1024 * 1024 + 1)))).toBe('TOO_LARGE');
    await queue.put('after');
    expect((await queue.get())?.text).toBe('after');
  });

  test('codecs: JSON with its type, text, and a body that is neither', async () => {
    const numbers = client.queue(name, { codec: json<{ n: number }>() });
    await numbers.put({ n: 1 });
    expect((await numbers.peek())!.flags).toBe(2);
    expect((await numbers.get())!.value.n + 1).toBe(2);
    await client.queue(name, { codec: text }).put('é');
    expect((await client.queue(name, { codec: text }).get())!.value).toBe('é');
    await client.queue(name).put('{');
    const broken = (await numbers.get())!;
    expect(() => broken.value).toThrow(expect.objectContaining({ code: 'BAD_BODY' }));
    expect(broken.text).toBe('{');
    expect(() => numbers.put(undefined as never)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  test('names with spaces and beyond ASCII', async () => {
    const queue = client.queue(`${name} zwölf\n`);
    await queue.put('x');
    expect((await queue.get({ waitMs: 1000 }))?.text).toBe('x');
    const spaced = client.queue(`${name} a b`);
    await Promise.all([queue.put('y'), spaced.put('y')]);
    await Promise.all([queue.flush(), spaced.flush()]);
    expect(await spaced.stats()).toMatchObject({ messages: 0 });
    expect(await queue.get()).toBe(undefined);
    expect(() => client.queue('')).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
    expect(() => client.queue('x'.repeat(251))).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  test('a full queue is QUEUE_FULL', async () => {
    const small = client.queue('small');
    await small.put('a');
    expect(await code(small.put('b'))).toBe('QUEUE_FULL');
    expect(await code(small.putBatch(['c']))).toBe('QUEUE_FULL');
  });

  test('a message expires', async () => {
    const queue = client.queue(name);
    await queue.put('minute', { expiresInMs: 60_000 });
    const minute = (await queue.get())!.expiresInSeconds!;
    expect(minute).toBeGreaterThan(30);
    expect(minute).toBeLessThanOrEqual(60);
    await queue.put('soon', { expiresInMs: 300 });
    await queue.put('late', { expiresInMs: 60 * 86_400_000 });
    await waitFor(async () => (await queue.peek())?.text === 'late', { what: 'the expiry' });
    const left = (await queue.get())!.expiresInSeconds!;
    expect(left).toBeGreaterThan(59 * 86_400);
    expect(left).toBeLessThanOrEqual(60 * 86_400);
  });

  test('ten thousand puts and gets at once, in order', async () => {
    const queue = client.queue(name);
    const bodies = Array.from({ length: 10_000 }, (_, index) => String(index));
    await queue.putBatch(bodies);
    const gets = await Promise.all(bodies.slice(0, 5000).map(() => queue.get()));
    const found = gets.map((message) => message?.text);
    for (let batch = await queue.getBatch(1000); batch.length > 0; batch = await queue.getBatch(1000)) {
      found.push(...batch.map(({ text }) => text));
    }
    expect(found).toEqual(bodies);
  });
});

describe('waits', () => {
  test('a get waits for a put, and holds up nobody else', async () => {
    const queue = client.queue(name);
    const waiting = queue.get({ waitMs: 10_000 });
    await client.queue(`${name}-other`).put('x');
    expect((await client.queue(`${name}-other`).get())?.text).toBe('x');
    await queue.put('come');
    expect((await waiting)?.text).toBe('come');
    expect(await queue.get()).toBeUndefined();
  });

  test('a wait that is over gives nothing', async () => {
    expect(await client.queue(name).get({ waitMs: 20 })).toBeUndefined();
    expect(await client.queue(name).peek({ waitMs: 20 })).toBeUndefined();
  });

  test('an aborted wait takes no message', async () => {
    const queue = client.queue(name);
    const controller = new AbortController();
    const waiting = queue.get({ waitMs: 60_000, signal: controller.signal });
    await waitFor(async () => (await queue.stats())?.waitingReads === 1, { what: 'the wait' });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    await queue.put('kept');
    expect((await queue.get())?.text).toBe('kept');
  });

  test('reads beyond readConnections are refused, not kept', async () => {
    await using few = await connect(server.address!, { settings: { readConnections: 2 } });
    const queue = few.queue(name);
    const waits = [queue.get({ waitMs: 5000 }), queue.get({ waitMs: 5000 })];
    expect(await code(queue.get({ waitMs: 5000 }))).toBe('OVERLOADED');
    await queue.putBatch(['a', 'b']);
    expect((await Promise.all(waits)).map((message) => message?.text).sort()).toEqual(['a', 'b']);
  });
});

describe('open messages', () => {
  test('acknowledged once and gone; then it is NOT_OPEN', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b']);
    const message = (await queue.open())!;
    expect([message.text, message.open]).toEqual(['a', true]);
    await message.acknowledge();
    expect(message.open).toBe(false);
    expect(await code(message.acknowledge())).toBe('NOT_OPEN');
    await message.abort();
    expect((await queue.getBatch(5)).map(({ text }) => text)).toEqual(['b']);
  });

  test('aborted, it is back in its place', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b']);
    const [first, second] = [(await queue.open())!, (await queue.open())!];
    await second.abort();
    await first.abort();
    expect((await queue.getBatch(5)).map(({ text }) => text)).toEqual(['a', 'b']);
  });

  test('when its time is over it is back, and its acknowledgement says so; touched, it has more', async () => {
    const queue = client.queue('brief');
    await queue.put('a');
    const message = (await queue.open())!;
    for (let touched = 0; touched < 4; touched++) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      await message.touch();
    }
    expect((await queue.stats())!.openReads).toBe(1);
    await waitFor(async () => (await queue.stats())!.openReads === 0, { what: 'the time to be over' });
    expect(await code(message.acknowledge())).toBe('NOT_OPEN');
    expect((await queue.get())?.text).toBe('a');
  });

  test('the end of the client gives them back', async () => {
    const queue = client.queue(name);
    await queue.put('a');
    const message = (await queue.open())!;
    await client.close();
    expect(await code(message.acknowledge())).toBe('NOT_OPEN');
    client = await connect(server.address!);
    expect((await client.queue(name).get({ waitMs: 5000 }))?.text).toBe('a');
  });

  test('a cursor reads along', async () => {
    const queue = client.queue(name);
    await queue.put('a');
    expect((await queue.get({ cursor: 'audit' }))?.text).toBe('a');
    expect(await queue.get({ cursor: 'audit' })).toBeUndefined();
    const waiting = queue.get({ cursor: 'audit', waitMs: 5000 });
    await queue.put('b');
    expect((await waiting)?.text).toBe('b');
    expect((await queue.getBatch(5)).map(({ text }) => text)).toEqual(['a', 'b']);
  });
});

describe('consume', () => {
  test('never more than prefetch are open, and who settles none gets no more', async () => {
    const queue = client.queue(name);
    await queue.putBatch(Array.from({ length: 20 }, (_, index) => String(index)));
    const messages = queue.consume({ open: true, prefetch: 4 });
    const taken: OpenMessage[] = [];
    for (let count = 0; count < 4; count++) taken.push((await messages.next()).value!);
    expect(taken.map(({ text }) => text).sort()).toEqual(['0', '1', '2', '3']);
    let fifth: OpenMessage | undefined;
    void messages.next().then(({ value }) => {
      fifth = value;
    });
    for (let look = 0; look < 20; look++) expect((await queue.stats())!.openReads).toBe(4);
    expect(fifth).toBeUndefined();
    await taken[2]!.acknowledge();
    await waitFor(() => fifth, { what: 'the fifth' });
    expect((await queue.stats())!.openReads).toBe(4);
    await messages.return!();
    await waitFor(async () => (await queue.stats())!.openReads === 0, { what: 'all to go back' });
    expect((await queue.stats())!.messages).toBe(19);
  });

  test('each message once, all of them, by several that work at the same time', async () => {
    const queue = client.queue(name);
    const count = 500;
    const seen: string[] = [];
    const controller = new AbortController();
    const work = async (): Promise<void> => {
      for await (const message of queue.consume({ prefetch: 8, signal: controller.signal })) {
        seen.push(message.text);
        await message.acknowledge();
        if (seen.length === count) controller.abort();
      }
    };
    const working = [work(), work(), work()];
    await queue.putBatch(Array.from({ length: count }, (_, index) => String(index)));
    await Promise.all(working);
    expect(seen.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
    expect((await queue.stats())!.messages).toBe(0);
  });

  test('with a prefetch of one the order is the queue’s', async () => {
    const queue = client.queue(name);
    await queue.putBatch(Array.from({ length: 50 }, (_, index) => String(index)));
    const seen: string[] = [];
    for await (const message of queue.consume({ prefetch: 1 })) {
      seen.push(message.text);
      await message.acknowledge();
      if (seen.length === 50) break;
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  });

  test('a loop that is left, or throws, puts back what it did not settle', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b', 'c']);
    await expect(
      (async () => {
        for await (const message of queue.consume({ prefetch: 2 })) {
          if (message.text === 'b') throw new Error('a fault of the program');
          await message.acknowledge();
        }
      })(),
    ).rejects.toThrow('a fault of the program');
    expect((await queue.getBatch(5)).map(({ text }) => text)).toEqual(['b', 'c']);
  });

  test('the signal ends the reading; what the program has, it can still acknowledge', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b', 'c']);
    const controller = new AbortController();
    const messages = queue.consume({ prefetch: 3, signal: controller.signal });
    const { value: first } = await messages.next();
    controller.abort();
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    await waitFor(async () => (await queue.stats())!.openReads === 1, { what: 'the others to go back' });
    await first!.acknowledge();
    expect((await queue.getBatch(5)).map(({ text }) => text)).toEqual(['b', 'c']);
  });

  test('idleMs ends it when there is nothing, however many are open meanwhile', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b', 'c']);
    const seen: string[] = [];
    for await (const message of queue.consume({ prefetch: 8, idleMs: 0 })) {
      seen.push(message.text);
      await message.acknowledge();
    }
    for await (const { text } of queue.consume({ open: false, idleMs: 10 })) seen.push(text);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('without open each is taken', async () => {
    const queue = client.queue(name);
    await queue.putBatch(['a', 'b']);
    const seen: string[] = [];
    for await (const { text } of queue.consume({ open: false })) {
      seen.push(text);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['a', 'b']);
    expect((await queue.stats())!.messages).toBe(0);
  });
});

describe('management', () => {
  test('figures of a queue, of all, and of the server; flush and delete', async () => {
    const queue = client.queue(`${name} é_items`);
    expect(await client.queue('nobody').stats()).toBeUndefined();
    await queue.putBatch(['aa', 'b']);
    const listed = (await client.queues()).find((one) => one.name === queue.name)!;
    expect(listed).toMatchObject({ messages: 2, bytes: 3, putTotal: 2, openReads: 0, waitingReads: 0 });
    expect(Number((await client.stats()).get('curr_connections'))).toBeGreaterThan(0);
    const plain = client.queue(name);
    await plain.put('x');
    await plain.flush();
    expect((await plain.stats())!.messages).toBe(0);
    expect(await plain.delete()).toBe(true);
    expect(await plain.delete()).toBe(false);
    expect(await queue.delete()).toBe(true);
  });

  test('a call that is aborted before it is sent, or on a closed client, says so', async () => {
    const queue = client.queue(name);
    expect(await code(queue.put('x', { signal: AbortSignal.abort() }))).toBe('ABORTED');
    await client.close();
    expect(await code(queue.put('x'))).toBe('CLOSED');
    expect(await code(queue.get({ waitMs: 10 }))).toBe('CLOSED');
    client = await connect(server.address!);
    expect(await client.queue(name).stats()).toBeUndefined();
  });

  test('where nobody listens it says so at once', async () => {
    const error = await connect(join(folder.path, 'nobody.sock')).catch((caught: QueueError) => caught);
    expect(error).toBeInstanceOf(QueueError);
    expect((error as QueueError).code).toBe('COULD_NOT_CONNECT');
    expect((error as QueueError).message).toContain('ENOENT');
    expect(await code(connect('no address'))).toBe('BAD_ARGUMENT');
  });
});
