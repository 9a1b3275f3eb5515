import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QueueServer } from '../src/index.ts';
import { type QueueProcess, queueCommand, startQueue } from './queue-process.ts';
import { connectText } from './text-client.ts';

let folder: TemporaryFolder;
let server: QueueProcess | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await server?.kill();
  server = undefined;
  await folder.remove();
});

const json = async (url: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test('messages, their flags and their order are there after a restart', async () => {
  server = await startQueue({ dataDirectory: folder.path });
  let client = await connectText(server.port);
  for (const number of [1, 2, 3]) {
    expect(await client.line(`set q ${number} 0 1\r\n${number}\r\n`)).toBe('STORED');
  }
  await client.values('get q/open\r\n');
  expect(await server.stop()).toBe(0);

  server = await startQueue({ dataDirectory: folder.path });
  client = await connectText(server.port);
  for (const number of [1, 2, 3]) {
    expect(await client.values('get q\r\n')).toEqual([{ key: 'q', flags: number, body: String(number) }]);
  }
  expect(await client.values('get q\r\n')).toEqual([]);
});

test('SIGTERM answers what was asked before it ends', async () => {
  server = await startQueue({ dataDirectory: folder.path, flags: ['--sync', 'always'] });
  const client = await connectText(server.port);
  const answers = Array.from({ length: 500 }, (_, number) =>
    client.line(`set q 0 0 3\r\n${100 + number}\r\n`),
  );
  await answers[0];
  const exit = server.stop();
  const settled = await Promise.allSettled(answers);
  expect(await exit).toBe(0);
  const stored = settled.filter(
    (answer) => answer.status === 'fulfilled' && answer.value === 'STORED',
  ).length;

  server = await startQueue({ dataDirectory: folder.path });
  const reader = await connectText(server.port);
  let found = 0;
  while ((await reader.values('get q\r\n')).length > 0) found += 1;
  expect(found).toBeGreaterThanOrEqual(stored);
  expect(stored).toBeGreaterThan(0);
});

test('SIGTERM ends reads that wait, and puts their open reads back', async () => {
  server = await startQueue({ dataDirectory: folder.path });
  const client = await connectText(server.port);
  await client.line('set q 0 0 1\r\nx\r\n');
  await client.values('get q/open\r\n');
  const waiting = client.values('get other/t=60000\r\n').catch((error: Error) => error.message);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await server.stop()).toBe(0);
  expect(await waiting).toBe('the connection ended');
  server = await startQueue({ dataDirectory: folder.path });
  expect(await (await connectText(server.port)).values('get q\r\n')).toHaveLength(1);
});

test('a second server on the same folder is refused and says why', async () => {
  server = await startQueue({ dataDirectory: folder.path });
  const second = startQueue({ dataDirectory: folder.path });
  await expect(second).rejects.toThrow(/ended \(exit code 1\)/);
  await expect(second).rejects.toThrow(/another process|locked|in use/i);
});

test('a port that is taken is told in one line', async () => {
  server = await startQueue({ dataDirectory: join(folder.path, 'a') });
  const second = startQueue({
    dataDirectory: join(folder.path, 'b'),
    flags: ['--port', String(server.port)],
  });
  await expect(second).rejects.toThrow(new RegExp(`${server.port}.*`));
});

test('flags win over the environment, the environment over the file, the file over the defaults', async () => {
  const config = join(folder.path, 'queue.toml');
  await writeFile(
    config,
    [
      'dialect = "kestrel"',
      'max_open_reads = 3',
      'max_connections = 77',
      '[queue_defaults]',
      'max_items = 9',
      '[queues.small]',
      'max_items = 1',
      '[aliases]',
      'both = ["a", "b"]',
    ].join('\n'),
  );
  server = await startQueue({
    dataDirectory: join(folder.path, 'data'),
    flags: ['--config', config, '--dialect', 'memcached'],
    env: { ROOKERY_QUEUE_MAX_OPEN_READS: '5', ROOKERY_QUEUE_DIALECT: 'starling' },
  });
  const client = await connectText(server.port);
  expect(await client.line('flush_all\r\n'), 'the flag’s dialect').toBe('OK');
  await client.line('set small 0 0 1\r\n1\r\n');
  await expect(client.line('set small 0 0 1\r\n2\r\n')).rejects.toThrow('out of memory');
  await client.line('set both 0 0 1\r\nx\r\n');
  expect(await client.values('get a b\r\n')).toHaveLength(2);
  const { body } = await json(`${server.adminUrl}/queues/small`);
  expect(body.settings).toMatchObject({ max_items: 1 });
  const refused = startQueue({ dataDirectory: folder.path, flags: ['--max-open-reads', 'many'] });
  await expect(refused).rejects.toThrow(/exit code 2/);
  await expect(refused).rejects.toThrow(/--max-open-reads/);
});

test('reload applies the queues of the file, and keeps what is running when the file is wrong', async () => {
  const config = join(folder.path, 'queue.toml');
  await writeFile(config, '[queues.q]\nmax_items = 1\n');
  server = await startQueue({ dataDirectory: join(folder.path, 'data'), flags: ['--config', config] });
  const client = await connectText(server.port);
  await client.line('set q 0 0 1\r\n1\r\n');
  await expect(client.line('set q 0 0 1\r\n2\r\n')).rejects.toThrow('out of memory');
  await writeFile(config, '[queues.q]\nmax_items = 2\n');
  expect(await client.line('reload\r\n')).toBe('Reloaded config.');
  expect(await client.line('set q 0 0 1\r\n2\r\n')).toBe('STORED');
  await writeFile(config, '[queues.q]\nmax_itmes = 3\n');
  await expect(client.line('reload\r\n')).rejects.toThrow('max_items');
  await expect(client.line('set q 0 0 1\r\n3\r\n')).rejects.toThrow('out of memory');
});

test('the unix socket serves the same queues, and one left behind by a killed server is replaced', async () => {
  const socket = join(folder.path, 'queue.sock');
  const flags = ['--socket', socket];
  server = await startQueue({ dataDirectory: join(folder.path, 'data'), flags });
  await server.kill();
  server = await startQueue({ dataDirectory: join(folder.path, 'data'), flags });
  const answer = await new Promise<string>((resolve, reject) => {
    let received = '';
    const client = connect(socket, () => client.write('set q 0 0 1\r\nx\r\nget q\r\nquit\r\n'));
    client.on('data', (chunk) => {
      received += String(chunk);
    });
    client.on('end', () => resolve(received));
    client.on('error', reject);
  });
  expect(answer).toBe('STORED\r\nVALUE q 0 1\r\nx\r\nEND\r\n');
});

test('the admin server tells that it lives, whether it is ready, its metrics and its queues', async () => {
  server = await startQueue({ dataDirectory: folder.path });
  const client = await connectText(server.port);
  await client.line('set jobs 0 0 5\r\nhello\r\n');
  await client.line('set j\xc3\xb6bs 0 0 1\r\nx\r\n');
  expect((await json(`${server.adminUrl}/livez`)).status).toBe(200);
  expect((await json(`${server.adminUrl}/readyz`)).status).toBe(200);
  expect((await json(`${server.adminUrl}/queues`)).body).toMatchObject({
    status: 'up',
    queues: [
      { name: 'jobs', messages: 1, body_bytes: 5, put_total: 1 },
      { name: 'jöbs', messages: 1 },
    ],
    next_after: null,
  });
  expect((await json(`${server.adminUrl}/queues/j%C3%B6bs`)).body).toMatchObject({ name: 'jöbs' });
  expect((await json(`${server.adminUrl}/queues/none`)).status).toBe(404);
  for (let count = 0; count < 2; count += 1) {
    expect(await client.line('set later/delay=60000/id=a 0 0 1\r\nx\r\n')).toBe('STORED');
  }
  await client.values('get jobs/open\r\n');
  await client.values('get jobs/bury\r\n');
  const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^rookery_queue_messages\{queue="jobs"\} 0$/m);
  expect(metrics).toMatch(/^rookery_queue_messages_delayed\{queue="later"\} 1$/m);
  expect(metrics).toMatch(/^rookery_queue_messages_duplicate_total\{queue="later"\} 1$/m);
  expect(metrics).toMatch(/^rookery_queue_messages_dead_total\{queue="jobs"\} 1$/m);
  expect(metrics).toMatch(/^rookery_queue_log_syncs_total [1-9]/m);
  expect(metrics).toMatch(/^process_cpu_seconds_total /m);
  expect(await client.line('status drain\r\n')).toBe('END');
  expect((await json(`${server.adminUrl}/readyz`)).status).toBe(503);
});

test('a connection too many is told so', async () => {
  server = await startQueue({ dataDirectory: folder.path, flags: ['--max-connections', '1'] });
  await (await connectText(server.port)).line('version\r\n');
  const second = await connectText(server.port);
  await expect(second.line('version\r\n')).rejects.toThrow();
});

test('Kestrel’s shutdown command ends the server with exit code 0', async () => {
  server = await startQueue({ dataDirectory: folder.path, flags: ['--dialect', 'kestrel'] });
  const client = await connectText(server.port);
  await client.line('set q 0 0 1\r\nx\r\n');
  await client.line('shutdown\r\n').catch(() => undefined);
  expect((await server.process.waitForExit()).code).toBe(0);
});

test('a program starts and stops the server by itself, several at a time', async () => {
  const servers = ['a', 'b'].map(
    (name) =>
      new QueueServer({ settings: { port: 0, adminPort: 0, data: join(folder.path, name), sync: 'never' } }),
  );
  for (const one of servers) await one.start();
  const [a, b] = await Promise.all(servers.map((one) => connectText(one.address!.port)));
  await a!.line('set q 0 0 1\r\na\r\n');
  expect(await b!.values('get q\r\n')).toEqual([]);
  expect(await a!.values('get q\r\n')).toHaveLength(1);
  for (const one of servers) expect(await one.stop()).toBe(0);
});

test('called wrongly, the command says so and exits with 2', async () => {
  await expect(startQueue({ dataDirectory: folder.path, flags: ['--prot', '1'] })).rejects.toThrow(
    /exit code 2/,
  );
  await using version = await startProcess(queueCommand('--version'));
  expect((await version.waitForExit()).code).toBe(0);
});
