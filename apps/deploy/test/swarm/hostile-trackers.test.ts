import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type RunningProcess, type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { peakMemoryBytes } from './memory.ts';
import {
  eventOf,
  expectWhole,
  type PackedFiles,
  packTree,
  startFetch,
  startOrigin,
  startTracker,
} from './programs.ts';

// Trackers that answer what no tracker should: beside a good one, and alone.

let work: TemporaryFolder;
let packed: PackedFiles;
let tracker: { readonly process: RunningProcess; readonly url: string };
let origin: RunningProcess;

beforeAll(async () => {
  work = await temporaryFolder();
  packed = await packTree(work.path, { bytes: 1_000_000 });
  tracker = await startTracker();
  origin = await startOrigin(packed, tracker.url);
});

afterAll(async () => {
  await origin[Symbol.asyncDispose]();
  await tracker.process[Symbol.asyncDispose]();
  await work.remove();
});

interface Hostile extends AsyncDisposable {
  readonly url: string;
  /** Everything but announcements. */
  readonly others: number;
  readonly asked: number;
}

async function serve(answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<Hostile> {
  let asked = 0;
  let others = 0;
  const server = createServer((request, response) => {
    if (!request.url!.startsWith('/announce?')) others++;
    asked++;
    response.on('error', () => undefined);
    answer(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`,
    get others() {
      return others;
    },
    get asked() {
      return asked;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function dictionary(peers: Buffer, more = ''): Buffer {
  return Buffer.concat([
    Buffer.from(`d8:completei1e8:intervali0e5:peers${peers.length}:`),
    peers,
    Buffer.from(`${more}e`),
  ]);
}

/** Addresses that lead nowhere, and one in a hundred that is this machine's own. */
function manyPeers(count: number): Buffer {
  const peers = Buffer.alloc(6 * count);
  for (let i = 0; i < count; i++) {
    peers.writeUInt32BE(i % 100 === 0 ? 0x7f000001 : 0xf0000000 + i, 6 * i);
    peers.writeUInt16BE(1 + (i % 65_535), 6 * i + 4);
  }
  return peers;
}

const ANSWERS: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['garbage', (response) => void response.end(Buffer.alloc(1_000, 0xfe))],
  ['lists in lists in lists', (response) => void response.end('l'.repeat(60_000))],
  ['an HTTP error', (response) => void response.writeHead(500).end()],
  ['nothing', () => undefined],
  [
    'and is cut off',
    (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('d8:');
      setTimeout(() => response.destroy(), 50);
    },
  ],
  [
    'without end',
    (response) => {
      response.on('drain', () => pour(response));
      pour(response);
    },
  ],
  [
    'headers without end',
    (response) => {
      const { socket } = response;
      socket!.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        while (!socket!.destroyed && socket!.write(`x-${'y'.repeat(1_000)}: z\r\n`));
      };
      socket!.on('error', () => undefined).on('drain', more);
      more();
    },
  ],
  [
    'one byte a second',
    (response) => {
      response.writeHead(200, { 'content-length': '100000' });
      const timer = setInterval(() => response.write('d'), 1_000);
      response.on('close', () => clearInterval(timer));
    },
  ],
  ['a million peers', (response) => void response.end(dictionary(manyPeers(1_000_000)))],
  ['as many peers as fit an answer', (response) => void response.end(dictionary(manyPeers(10_000)))],
  [
    'web seeds of its choice',
    (response) => {
      const seeds = Array.from({ length: 500 }, (_, i) => `127.0.0.1:${i + 1}`);
      const odd = ['', ':', 'x@y:1', '127.0.0.1:99999', '../../', '127.0.0.1:1/inside?'];
      const list = [...seeds, ...odd].map((one) => `${one.length}:${one}`).join('');
      response.end(dictionary(Buffer.alloc(0), `7:rookeryd4:stayi1e9:web_seedsl${list}ee`));
    },
  ],
  [
    'numbers that are none',
    (response) => {
      response.end(
        'd8:completei-5e10:incompletei99999999999999e8:intervali-1e5:peersld2:ip4:\0\0\0\x014:porti99999999eee5:peers6i7ee',
      );
    },
  ],
];

function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(Buffer.alloc(16_384, 0x64)));
}

describe('a fetch gets the tree beside a tracker that answers', { timeout: 120_000 }, () => {
  test.each(ANSWERS)('%s', async (_, answer) => {
    await using folder = await temporaryFolder();
    await using hostile = await serve(answer);
    const to = join(folder.path, 'tree');
    await using host = await startFetch(packed, to, hostile.url, {
      more: ['--seed-for', '60', '--tracker', tracker.url],
    });
    await eventOf(host, 'done');
    expect(hostile.asked).toBeGreaterThan(0);
    expect(await peakMemoryBytes(host.pid)).toBeLessThan(200e6);
    await expectWhole(packed, to);
  });
});

test('a tracker that sends hosts elsewhere is not followed', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder();
  await using inside = await serve((response) => void response.end('secret'));
  await using hostile = await serve((response) => {
    response.writeHead(302, { location: inside.url.replace('/announce', '/metadata') }).end();
  });
  await using host = await startFetch(packed, join(folder.path, 'tree'), hostile.url, {
    more: ['--wait', '2'],
  });
  await host.waitForExit(60_000);
  expect(await eventOf(host, 'tracker_problem')).toMatchObject({ message: 'HTTP 302' });
  expect(inside.asked).toBe(0);
});

test('hostile trackers alone end in a clear error, in the time that was given', {
  timeout: 60_000,
}, async () => {
  await using folder = await temporaryFolder();
  const stack = new AsyncDisposableStack();
  await using _stack = stack;
  const urls: string[] = [];
  for (const [, answer] of ANSWERS) urls.push(stack.use(await serve(answer)).url);
  await using host = await startFetch(packed, join(folder.path, 'tree'), urls[0]!, {
    more: ['--wait', '8', ...urls.slice(1).flatMap((url) => ['--tracker', url])],
  });
  expect(await host.waitForExit(60_000)).toMatchObject({ code: 1 });
  expect(host.stdout).toMatch(/"event":"failed","code":"stalled"/);
});
