import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningProcess, temporaryFolder } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { inspectRelease } from '../../src/release/container.ts';
import { eventOf, packTree, startFetch, startOrigin, startTracker } from './programs.ts';
import { dial, handshake, MESSAGE, onMessages } from './raw-peer.ts';

// A swarm that nobody finds but by its tracker: looked at from outside, at real sockets.

/** What a process has bound, as the kernel tells it. */
async function listening({
  pid,
}: RunningProcess): Promise<{ readonly tcp: number[]; readonly udp: number[] }> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')),
  );
  const inodes = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const bound = async (protocol: string, state?: string): Promise<number[]> => {
    const tables = await Promise.all(
      [protocol, `${protocol}6`].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8')),
    );
    return tables
      .flatMap((table) => table.trim().split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => inodes.has(fields[9]) && (state === undefined || fields[3] === state))
      .map((fields) => Number.parseInt(fields[1]!.split(':').at(-1)!, 16));
  };
  return { tcp: await bound('tcp', '0A'), udp: await bound('udp') };
}

test('no process of a swarm has a UDP socket, or a port besides those that it tells', {
  timeout: 120_000,
}, async () => {
  await using work = await temporaryFolder();
  const packed = await packTree(work.path, { bytes: 300_000 });
  const tracker = await startTracker();
  await using _tracker = tracker.process;
  await using origin = await startOrigin(packed, tracker.url);
  await using host = await startFetch(packed, join(work.path, 'to/tree'), tracker.url, {
    more: ['--seed-for', '60'],
  });
  await eventOf(host, 'done');
  const [, peers, http] = origin.ready!;
  expect(await listening(tracker.process)).toEqual({ tcp: [Number(tracker.process.ready![1])], udp: [] });
  expect(await listening(origin)).toEqual({
    tcp: expect.arrayContaining([Number(peers), Number(http)]),
    udp: [],
  });
  expect((await listening(origin)).tcp).toHaveLength(2);
  expect(await listening(host)).toEqual({ tcp: [expect.any(Number)], udp: [] });
});

test('a torrent is private, and peers are offered neither DHT nor the exchange of peers', {
  timeout: 120_000,
}, async () => {
  await using work = await temporaryFolder();
  const packed = await packTree(work.path, { bytes: 300_000 });
  const { info, infoHash } = inspectRelease(await readFile(packed.release));
  expect(Buffer.from(info).toString('latin1')).toMatch(/7:privatei1ee$/);
  expect((await readFile(packed.torrent)).toString('latin1')).not.toMatch(/announce|nodes|url-list/);
  await using origin = await startOrigin(packed, 'http://127.0.0.1:9/announce');
  const socket = await dial(Number(origin.ready![1]), '127.0.0.1');
  const heard: { readonly id: number; readonly payload: string }[] = [];
  const first = once(socket, 'data') as Promise<[Buffer]>;
  onMessages(socket, (id, payload) => heard.push({ id, payload: payload.toString('latin1') }));
  socket.write(handshake(infoHash, Buffer.of(0, 0, 0, 0, 0, 0x10, 0, 0x05)));
  const [bytes] = await first;
  const DHT = 0x01;
  expect(bytes.subarray(1, 20).toString()).toBe('BitTorrent protocol');
  expect(bytes[27]! & DHT).toBe(0);
  await expect.poll(() => heard.map(({ id }) => id), { timeout: 30_000 }).toContain(MESSAGE.extended);
  const extended = heard.find(({ id }) => id === MESSAGE.extended)!.payload;
  expect(extended).toContain('ut_metadata');
  expect(extended).not.toContain('ut_pex');
  socket.destroy();
});
