import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { QueuesSnapshot } from '../../src/admin/feed.ts';
import type { MessagesPage } from '../../src/admin/messages.ts';
import { QueueServer } from '../../src/index.ts';
import { connectText, type TextClient } from '../text-client.ts';

let folder: TemporaryFolder;
let server: QueueServer;
let client: TextClient;

beforeEach(async () => {
  folder = await temporaryFolder();
  await start();
});
afterEach(async () => {
  await stop();
  await folder.remove();
});

async function start(): Promise<void> {
  server = new QueueServer({ settings: { port: 0, adminPort: 0, data: folder.path } });
  await server.start();
  client = await connectText(server.address!.port);
}

async function stop(): Promise<void> {
  client.destroy();
  await server.stop();
}

const put = (name: string, body: string) => client.line(`set ${name} 0 0 ${body.length}\r\n${body}\r\n`);

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the route answers
  readonly body: any;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const sent = request(`${server.adminUrl}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    sent.on('response', (response) =>
      json(response).then((answer) => resolve({ status: response.statusCode!, body: answer }), reject),
    );
    sent.on('error', reject);
  });
}

async function snapshot(query: string): Promise<QueuesSnapshot> {
  const response = await fetch(`${server.adminUrl}/feed/queues?${query}`);
  const reader = response.body!.getReader();
  let text = '';
  while (!text.includes('\n\n')) text += Buffer.from((await reader.read()).value!).toString();
  await reader.cancel();
  return JSON.parse(/^data: (.*)$/m.exec(text)![1]!) as QueuesSnapshot;
}

test('a flush, a pause and what moved are there after a restart', async () => {
  for (const name of ['flushed', 'paused', 'from']) await put(name, 'x');
  expect(await ask('POST', '/queues/flushed/flush', { name: 'flushed' })).toEqual({
    status: 200,
    body: { flushed: 1 },
  });
  expect((await ask('POST', '/queues/paused/settings', { paused: true })).body.paused).toBe(true);
  expect((await ask('POST', '/queues/from/redrive', { to: 'to' })).body).toEqual({ moved: 1 });
  await stop();
  await start();
  const depths = (await snapshot('sort=name')).queues.map(({ name, messages, paused }) => [
    name,
    messages,
    paused,
  ]);
  expect(depths).toEqual([
    ['flushed', 0, false],
    ['from', 0, false],
    ['paused', 1, true],
    ['to', 1, false],
  ]);
});

test('messages move into a fanout child, and not to its parent', async () => {
  await put('work', 'x');
  await client.values('get orders+audit\r\n');
  expect((await ask('POST', '/queues/work/redrive', { to: 'orders+audit' })).body).toEqual({ moved: 1 });
  expect((await client.values('get orders+audit\r\n')).map(({ body }) => body)).toEqual(['x']);
});

test('what is wrong is refused, and says what to do', async () => {
  await put('work', 'x');
  const refusal = async (path: string, body: unknown) => {
    const answer = await ask('POST', path, body);
    return `${answer.status} ${answer.body.error.message}`;
  };
  expect(await refusal('/queues/none/flush', { name: 'none' })).toBe('404 there is no queue "none"');
  expect(await refusal('/queues/work/flush', { name: 'other' })).toBe(
    '400 name: expected the name of the queue',
  );
  expect(await refusal('/queues/work/flush', [])).toBe('400 expected a JSON object');
  expect(await refusal('/queues/work/settings', { pausd: true })).toBe('400 pausd: there is no such setting');
  expect(await refusal('/queues/work/redrive', { max: 1e9 })).toBe('400 max: expected 1 to 1000');
  expect(await refusal('/queues/work/redrive', { to: 'other/open' })).toMatch(
    /^400 a queue's name can't end/,
  );
  expect(await refusal('/queues/work/redrive', { to: 7 })).toBe('400 to: expected the name of a queue');
  for (const path of [
    '/queues/work/messages?limit=0',
    '/queues/work/messages?after=x',
    '/feed/queues?sort=x',
  ]) {
    expect((await ask('GET', path)).status).toBe(400);
  }
  expect((await snapshot('')).messages).toBe(1);
});

test('another web site can do nothing through a user’s browser', async () => {
  await put('work', 'x');
  const body = { name: 'work' };
  const tries: Record<string, string>[] = [
    // A form can send this much without asking.
    { 'content-type': 'text/plain' },
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    // A name of theirs that leads here.
    { host: 'evil.example', origin: 'http://evil.example' },
  ];
  const statuses = await Promise.all(
    tries.map(async (headers) => (await ask('POST', '/queues/work/flush', body, headers)).status),
  );
  expect(statuses).toEqual([415, 403, 403, 421]);
  for (const path of ['/', '/feed/queues']) {
    expect((await ask('GET', path, undefined, { host: 'evil.example' })).status).toBe(421);
  }
  // A POST without a body does nothing either.
  expect((await ask('POST', '/queues/work/flush')).status).toBe(400);
  expect((await snapshot('')).messages).toBe(1);
});

describe('messages', () => {
  test('are told in the order of reading, a page at a time, with what became of them', async () => {
    for (let number = 0; number < 25; number += 1) await put('work', `message ${number}`);
    await client.values('get work/open\r\n');
    const first = (await ask('GET', '/queues/work/messages?limit=20')).body as MessagesPage;
    expect(first.messages).toHaveLength(20);
    expect(first.messages[0]).toMatchObject({
      state: 'open',
      bytes: 9,
      returns: 0,
      priority: 5,
      due_at: null,
    });
    expect(Buffer.from(first.messages[0]!.body, 'base64').toString()).toBe('message 0');
    expect(first.messages[1]!.state).toBe('ready');
    await client.values('get work/abort\r\n');
    const again = (await ask('GET', '/queues/work/messages')).body as MessagesPage;
    expect(again.messages[0]).toMatchObject({ state: 'ready', returns: 1 });
    const rest = (await ask('GET', `/queues/work/messages?limit=20&after=${first.next_after}`))
      .body as MessagesPage;
    expect(rest.messages.map(({ body }) => Buffer.from(body, 'base64').toString())).toEqual(
      Array.from({ length: 5 }, (_, number) => `message ${number + 20}`),
    );
    expect(rest.next_after).toBeNull();
    // They were looked at only.
    expect((await client.values('get work\r\n'))[0]!.body).toBe('message 0');
  });

  test('that are large are told by their beginnings, and many of them by pages', async () => {
    const large = 'x'.repeat(900_000);
    for (let number = 0; number < 4; number += 1) await put('work', large);
    const page = (await ask('GET', '/queues/work/messages')).body as MessagesPage;
    expect(page.messages.length).toBeLessThan(4);
    expect(page.messages[0]!.bytes).toBe(900_000);
    expect(Buffer.from(page.messages[0]!.body, 'base64')).toHaveLength(16 * 1024);
    let { length } = page.messages;
    for (let after = page.next_after; after !== null; ) {
      const next = (await ask('GET', `/queues/work/messages?after=${after}`)).body as MessagesPage;
      length += next.messages.length;
      after = next.next_after;
    }
    expect(length).toBe(4);
  });
});
