import { createSocket } from 'node:dgram';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { DgramSocket } from 'node-unix-socket';
import { expect, test } from 'vitest';
import { startIngest } from '../../src/inputs/http/ingest.ts';
import { publishPiped } from '../../src/inputs/piped.ts';
import type { SyslogAddress } from '../../src/inputs/syslog/listen.ts';
import { serveSyslog } from '../../src/inputs/syslog/serve.ts';
import { type Feed, running, startFeed } from './feed.ts';

const free = { host: '127.0.0.1', port: 0 };

async function startSyslog(feed: Feed, at: SyslogAddress, raw = false) {
  const listening = Promise.withResolvers<readonly string[]>();
  const served = running(async (signal) => {
    await serveSyslog([at], { groups: ['g'], raw }, feed.publisher, feed.tally, listening.resolve, signal);
  });
  const [url] = await listening.promise;
  return {
    url: url!,
    port: Number(/:(\d+)$/.exec(url!)?.[1]),
    [Symbol.asyncDispose]: served[Symbol.asyncDispose],
  };
}

test('syslog over UDP: a datagram is an event, with its fields as JSON', async () => {
  await using feed = await startFeed();
  await using syslog = await startSyslog(feed, { kind: 'udp', address: free });
  const socket = createSocket('udp4');
  socket.send('<190>Nov 22 04:05:51 vm nginx: GET /', syslog.port, '127.0.0.1');
  socket.send('hello', syslog.port, '127.0.0.1');
  const [first, second] = (await feed.untilHeard(2)).map((text) => JSON.parse(text));
  socket.close();
  expect(first).toMatchObject({ facility: 'local7', host: 'vm', app: 'nginx', message: 'GET /' });
  expect(second).toMatchObject({ message: 'hello', malformed: true });
  expect(feed.tally.counts).toMatchObject({ published: 2, malformed: 1, dropped: 0 });
});

test('syslog over unix datagrams, 64 KiB at once; a socket left behind is taken over', async () => {
  await using feed = await startFeed();
  const path = join(feed.folder, 'log.sock');
  const stale = new DgramSocket();
  stale.bind(path);
  stale.close();
  await using _syslog = await startSyslog(feed, { kind: 'unixgram', path }, true);
  const socket = new DgramSocket();
  const long = `<13>${'x'.repeat(6000)}`;
  socket.sendTo(Buffer.from(long), 0, long.length, path);
  socket.sendTo(Buffer.from('<13>two'), 0, 7, path);
  expect(await feed.untilHeard(2)).toEqual([long, '<13>two']);
  socket.close();
});

test('syslog over TCP: both framings; a stream out of step is ended, and counted', async () => {
  await using feed = await startFeed();
  await using syslog = await startSyslog(feed, { kind: 'tcp', address: free }, true);
  const socket = connectTcp(syslog.port, '127.0.0.1');
  socket.write('<13>a line\n9 <13>count');
  await feed.untilHeard(2);
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.write('123456789 x');
  await ended;
  expect(feed.heard).toEqual(['<13>a line', '<13>count']);
  expect(feed.said.join('')).toContain('out of step');
});

test('a TCP sender waits while the spool is full, and nothing is dropped', async () => {
  await using feed = await startFeed({ spoolBytes: 16 * 1024 });
  await using tcp = await startSyslog(feed, { kind: 'tcp', address: free }, true);
  const lines = Array.from({ length: 600 }, (_, index) => `<13>line ${index}`);
  const socket = connectTcp(tcp.port, '127.0.0.1');
  socket.end(`${lines.join('\n')}\n`);
  expect(await feed.untilHeard(600)).toEqual(lines);
  expect(feed.tally.counts.dropped).toBe(0);
});

test('a pipe is read whatever else happens: what a full spool can’t take is dropped, and told', async () => {
  await using feed = await startFeed();
  await feed.publisher.close();
  const publisher = await feed.publish({ urls: 'ws://127.0.0.1:9', spoolBytes: 8192 });
  const input = new PassThrough();
  const done = publishPiped(input, ['g'], publisher, feed.tally, new AbortController().signal);
  input.end(Array.from({ length: 1000 }, (_, index) => `GET /${index}\n`).join(''));
  await done;
  feed.tally.close();
  const { published, dropped } = feed.tally.counts;
  expect(published).toBeGreaterThan(10);
  expect(published + dropped).toBe(1000);
  expect(feed.said.join('')).toMatch(/lines dropped, the spool is full/);
  await publisher.close();
  // The next program sends what it left behind.
  const next = await feed.publish();
  await next.sent();
  expect((await feed.untilHeard(published)).at(-1)).toBe(`GET /${published - 1}`);
});

test('NDJSON by POST: a batch is answered when it is kept; what is wrong is refused as a whole', async () => {
  await using feed = await startFeed({ spoolBytes: 64 * 1024 });
  const ingest = await startIngest(
    { listen: free, token: 'secret', groups: [], spoolBytes: 64 * 1024 },
    feed.publisher,
    feed.tally,
  );
  const post = async (body: string, headers: Record<string, string> = {}, path = '/groups/g') => {
    const response = await fetch(`${ingest.url}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: 'Bearer secret', 'content-type': 'application/x-ndjson', ...headers },
    });
    return [response.status, await response.json()];
  };
  expect(await post('{"a":1}\n{"b":2}\n')).toEqual([200, { accepted: 2 }]);
  expect(await post('any line', { 'content-type': 'text/plain' })).toEqual([200, { accepted: 1 }]);
  expect(await post('{"c":3}\n{"d"\n')).toMatchObject([400, { error: { code: 'bad_json' } }]);
  expect(await post('{}', { authorization: 'Bearer guess' })).toMatchObject([401, {}]);
  expect(await post('{}', {}, '/groups/%20')).toMatchObject([400, { error: { code: 'bad_group' } }]);
  expect(await post('{}', { 'content-type': 'application/json' })).toMatchObject([415, {}]);
  expect(await post(`"${'x'.repeat(1024 * 1024)}"`)).toMatchObject([413, {}]);
  expect(await post(`"${'x'.repeat(100_000)}"`)).toMatchObject([503, { error: { code: 'spool_full' } }]);
  expect(await feed.untilHeard(3)).toEqual(['{"a":1}', '{"b":2}', 'any line']);
  await ingest.close();
  await expect(
    startIngest(
      { listen: { host: '0.0.0.0', port: 0 }, token: undefined, groups: [], spoolBytes: 1 },
      feed.publisher,
      feed.tally,
    ),
  ).rejects.toMatchObject({ code: 'USAGE' });
});
