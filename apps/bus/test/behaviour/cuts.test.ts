import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { Random } from '@rookery/testkit';
import { afterEach, expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';

const SEED = Number(process.env.ROOKERY_TEST_SEED ?? Date.now() % 0x7fff_ffff);
const COUNT = 1000;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A relay to a port whose connections `cut` breaks, wherever they are. */
async function relay(port: number): Promise<{ url: string; cut(): void }> {
  const pairs = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1');
    for (const socket of [near, far]) {
      pairs.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of pairs) socket.destroy();
  };
  closing.push(() => {
    server.close();
    cut();
  });
  return { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}`, cut };
}

it.each([
  ['with nothing in the way', {}],
  ['while messages are read slowly', { messagesPerSecond: 1500 }],
  [
    'while it is held up by itself',
    { groups: { g: { slowPolicy: 'slow' as const } }, outboxBytes: 256 * 1024 },
  ],
])(
  `over cuts anywhere, %s, a client sends and receives each message once and in order (ROOKERY_TEST_SEED=${SEED})`,
  async (_, settings) => {
    const random = new Random(SEED);
    const bus = await startInProcess(settings);
    const { url, cut } = await relay(Number(new URL(bus.url).port));
    const lost: string[] = [];
    const client = await connect(url, {
      name: 'web',
      settings: { retryMs: 5, retryMaxMs: 20, readWindowBytes: 64 * 1024, writeWindowBytes: 64 * 1024 },
    });
    const group = await client.join('g');
    let cutting: NodeJS.Timeout | undefined;
    const cutSoon = (): void => {
      cut();
      cutting = setTimeout(cutSoon, random.between(1, 120));
    };
    cutSoon();
    closing.push(() => clearTimeout(cutting));
    const sending = (async () => {
      for (let n = 0; n < COUNT; n++) {
        const bytes = random.chance(0.02) ? random.between(32_000, 150_000) : random.between(8, 600);
        if (!client.send('g', Buffer.alloc(bytes, `${n} `))) await client.drained();
      }
    })();
    let next = 0;
    for await (const event of group) {
      if (event.kind === 'lost') lost.push(event.reason);
      if (event.kind !== 'message') continue;
      expect(Number.parseInt(new TextDecoder().decode(event.data.subarray(0, 8)), 10)).toBe(next++);
      if (next === COUNT) break;
    }
    await sending;
    expect(lost).toEqual([]);
    clearTimeout(cutting);
    await client.close();
  },
  60_000,
);
