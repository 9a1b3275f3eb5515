import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import {
  Random,
  type RunningProcess,
  type TemporaryFolder,
  temporaryFolder,
  waitFor,
} from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectRelease } from '../../src/release/container.ts';
import { SWARM_LIMITS } from '../../src/swarm/limits.ts';
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
import { dial, handshake, listen, MESSAGE, message, numbers, onMessages, pour } from './raw-peer.ts';

// Peers that don't keep to the rules, on real sockets, against real processes.

let work: TemporaryFolder;
let packed: PackedFiles;
let infoHash: string;
let tracker: { readonly process: RunningProcess; readonly url: string };
let origin: RunningProcess;

beforeAll(async () => {
  work = await temporaryFolder();
  packed = await packTree(work.path, { bytes: 3_000_000 });
  infoHash = inspectRelease(await readFile(packed.release)).infoHash;
  tracker = await startTracker();
  origin = await startOrigin(packed, tracker.url);
});

afterAll(async () => {
  await origin[Symbol.asyncDispose]();
  await tracker.process[Symbol.asyncDispose]();
  await work.remove();
});

/** Has everything, lets everybody ask; what it does then is up to the caller. */
function greet(socket: Socket): void {
  socket.write(handshake(infoHash));
  socket.write(message(MESSAGE.haveAll));
  socket.write(message(MESSAGE.unchoke));
}

const PEERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['says nothing at all', (socket) => void socket.resume()],
  ['never reads', (socket) => void socket.pause()],
  [
    'says its handshake byte by byte',
    (socket) => {
      const bytes = handshake(infoHash);
      let at = 0;
      const timer = setInterval(() => {
        if (socket.destroyed) clearInterval(timer);
        else socket.write(bytes.subarray(at, ++at));
      }, 500);
      socket.on('close', () => clearInterval(timer));
    },
  ],
  ['sends garbage instead of a handshake', (socket) => pour(socket, new Random(1).bytes(4_096))],
  ['is of another swarm', (socket) => void socket.write(handshake('ab'.repeat(20)))],
  [
    'is this very host',
    (socket) => {
      socket.once('data', (bytes: Buffer) => {
        socket.write(Buffer.concat([handshake(infoHash).subarray(0, 48), bytes.subarray(48, 68)]));
        socket.write(message(MESSAGE.haveAll));
        socket.write(message(MESSAGE.unchoke));
      });
    },
  ],
  ['promises everything and sends nothing', greet],
  [
    'rejects every request',
    (socket) => {
      greet(socket);
      onMessages(socket, (id, payload) => {
        if (id === MESSAGE.request) socket.write(message(MESSAGE.reject, payload));
      });
    },
  ],
  [
    'answers with one byte each second',
    (socket) => {
      greet(socket);
      onMessages(socket, (id, payload) => {
        if (id !== MESSAGE.request) return;
        const answer = Buffer.alloc(13);
        answer.writeUInt32BE(9 + payload.readUInt32BE(8));
        answer[4] = MESSAGE.piece;
        payload.copy(answer, 5, 0, 8);
        socket.write(answer);
        const timer = setInterval(() => {
          if (socket.destroyed) clearInterval(timer);
          else socket.write('x');
        }, 1_000);
        socket.on('close', () => clearInterval(timer));
      });
    },
  ],
  [
    'answers with blocks of other lengths',
    (socket) => {
      greet(socket);
      onMessages(socket, (id, payload) => {
        if (id !== MESSAGE.request) return;
        const length = payload.readUInt32BE(8);
        const place = payload.subarray(0, 8);
        for (const wrong of [0, 1, length - 1, length + 1]) {
          socket.write(message(MESSAGE.piece, Buffer.concat([place, Buffer.alloc(wrong)])));
        }
      });
    },
  ],
  [
    'pours pieces that nobody asked for',
    (socket) => {
      greet(socket);
      pour(socket, message(MESSAGE.piece, Buffer.concat([numbers(0, 0), Buffer.alloc(16_384)])));
    },
  ],
  [
    'pours bitfields',
    (socket) => {
      greet(socket);
      pour(socket, message(MESSAGE.bitfield, Buffer.alloc(200_000, 0xff)));
    },
  ],
  [
    'pours pieces that are not there',
    (socket) => {
      greet(socket);
      pour(
        socket,
        Buffer.concat([2 ** 32 - 1, 2 ** 31, 399_999, 100_000].map((n) => message(MESSAGE.have, numbers(n)))),
      );
    },
  ],
  [
    'asks for everything at once, for what is not there too, and reads nothing',
    (socket) => {
      greet(socket);
      socket.pause();
      const asked = [
        numbers(0, 0, 4_096),
        numbers(2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1),
        numbers(0, 4_095, 2),
      ];
      pour(socket, Buffer.concat(asked.map((one) => message(MESSAGE.request, one))));
    },
  ],
  [
    'pours messages that end too early',
    (socket) => {
      greet(socket);
      pour(socket, Buffer.concat(Array.from({ length: 24 }, (_, id) => message(id))));
    },
  ],
  [
    'sends extensions that are nonsense',
    (socket) => {
      greet(socket);
      const nonsense = [
        'd1:md11:ut_metadatai1e11:lt_donthavei7ee13:metadata_sizei9007199254740991e4:reqqi-1ee',
        'd1:mle1:vi0ee',
        'd1:md9:__proto__i1eee',
        `${'l'.repeat(100_000)}`,
        'd8:msg_typei0e5:piecei-1ee',
        'd8:msg_typei1e5:piecei0e10:total_sizei4294967296ee',
      ];
      pour(
        socket,
        Buffer.concat(
          nonsense.flatMap((text) =>
            [0, 1, 2, 3, 255].map((id) =>
              message(MESSAGE.extended, Buffer.concat([Buffer.of(id), Buffer.from(text)])),
            ),
          ),
        ),
      );
    },
  ],
];

describe('a fetch gets the tree, soon and with little memory, beside a peer that', {
  timeout: 120_000,
}, () => {
  test.each(PEERS)('%s', async (_, behave) => {
    await using folder = await temporaryFolder();
    await using peer = await listen(behave);
    const to = join(folder.path, 'tree');
    await using host = await startFetch(packed, to, tracker.url, {
      more: ['--seed-for', '60', '--peer', peer.address],
    });
    await eventOf(host, 'done');
    expect(peer.dialled).toBeGreaterThan(0);
    expect(await peakMemoryBytes(host.pid)).toBeLessThan(200e6);
    await expectWhole(packed, to);
  });
});

test('an origin outlives whatever is sent to it', { timeout: 120_000 }, async () => {
  const port = Number(origin.ready![1]);
  const sockets = await Promise.all(
    PEERS.map(async ([, behave]) => {
      const socket = await dial(port, '127.0.0.9');
      behave(socket);
      return socket;
    }),
  );
  const random = new Random(3);
  for (let turn = 0; turn < 60; turn++) {
    const socket = await dial(port, '127.0.0.9');
    socket.resume();
    socket.write(handshake(infoHash));
    for (let i = 0; i < 50; i++) socket.write(message(random.below(256), random.bytes(random.below(64))));
    socket.end(random.bytes(random.below(2_000)));
    await new Promise((resolve) => socket.once('close', resolve));
  }
  await using folder = await temporaryFolder();
  const to = join(folder.path, 'tree');
  await using host = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
  await eventOf(host, 'done');
  await expectWhole(packed, to);
  for (const socket of sockets) socket.destroy();
  expect(await peakMemoryBytes(origin.pid)).toBeLessThan(200e6);
  expect(origin.exit).toBeUndefined();
  expect(origin.stderr).toBe('');
  await waitFor(() => /"peers":0[^\n]*\n$/.test(origin.stdout), { what: 'all to be gone' });
});

test('peers that take all connections of the only origin do not stop a fetch: there is HTTP', {
  timeout: 120_000,
}, async () => {
  const sockets = await Promise.all(
    Array.from({ length: 100 }, () => dial(Number(origin.ready![1]), '127.0.0.8')),
  );
  // Without a handshake they would leave it free to dial the host, which it hears of when it announces itself.
  for (const socket of sockets) socket.write(handshake(infoHash));
  await waitFor(() => new RegExp(`"peers":${SWARM_LIMITS.connections}[^\\n]*\\n$`).test(origin.stdout), {
    what: 'all connections to be taken',
  });
  await using folder = await temporaryFolder();
  const to = join(folder.path, 'tree');
  await using host = await startFetch(packed, to, tracker.url, { more: ['--seed-for', '0'] });
  expect(Number((await eventOf(host, 'done')).http_bytes)).toBeGreaterThan(0);
  await expectWhole(packed, to);
  for (const socket of sockets) socket.destroy();
});
