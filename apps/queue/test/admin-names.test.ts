import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QueueServer } from '../src/index.ts';
import { connectText } from './text-client.ts';

let folder: TemporaryFolder;
let server: QueueServer;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = new QueueServer({ settings: { port: 0, adminPort: 0, data: folder.path, sync: 'never' } });
  await server.start();
});

afterEach(async () => {
  await server.stop();
  await folder.remove();
});

test('queues whose names are no UTF-8 are told apart, and found, by the admin port', async () => {
  const client = await connectText(server.address!.port);
  for (const name of ['\xff', '\xfe', 'j\xc3\xb6bs']) {
    expect(await client.line(`set ${name} 0 0 1\r\nx\r\n`)).toBe('STORED');
  }
  const { queues } = (await (await fetch(`${server.adminUrl}/queues`)).json()) as {
    queues: { name: string }[];
  };
  expect(queues.map(({ name }) => name)).toEqual(['jöbs', '\\xfe', '\\xff']);
  for (const { name } of queues) {
    const response = await fetch(`${server.adminUrl}/queues/${encodeURIComponent(name)}`);
    expect(await response.json()).toMatchObject({ name, messages: 1 });
  }
  const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
  for (const name of ['jöbs', '\\\\xfe', '\\\\xff']) {
    expect(metrics).toContain(`rookery_queue_messages{queue="${name}"} 1\n`);
  }
  client.destroy();
});

test('pages of queues go on behind a name that is no UTF-8', async () => {
  const client = await connectText(server.address!.port);
  const names = Array.from({ length: 1001 }, (_, number) => `\xff${1000 + number}`);
  await Promise.all(names.map((name) => client.line(`set ${name} 0 0 1\r\nx\r\n`)));
  const seen = new Set<string>();
  let after: string | null = '';
  for (let pages = 0; after !== null; pages += 1) {
    expect(pages).toBeLessThan(2);
    const query: string = encodeURIComponent(after);
    const page = (await (await fetch(`${server.adminUrl}/queues?after=${query}`)).json()) as {
      queues: { name: string }[];
      next_after: string | null;
    };
    for (const { name } of page.queues) seen.add(name);
    after = page.next_after;
  }
  expect(seen.size).toBe(1001);
  client.destroy();
});
