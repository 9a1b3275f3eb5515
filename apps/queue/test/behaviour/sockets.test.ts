import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { waitFor as waitForAtMost } from '@rookery/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Connection } from '../../src/connection/connection.ts';
import { directOutput } from '../../src/connection/direct-output.ts';
import { withSharedInput } from '../../src/connection/shared-input.ts';
import { inMemory } from '../in-memory.ts';
import { fill, hit, set, stored } from './support.ts';

// What depends on how real sockets tell of hang-ups and of room; all else is tested without ports.

const waitFor = (condition: () => boolean): Promise<boolean> =>
  waitForAtMost(condition, { what: condition.toString() });

describe.each([
  ['one buffer for what all send, replies written directly', true, true],
  ['one buffer for what all send', true, false],
  ['a buffer for each read', false, false],
])('%s', (_, isShared, isDirect) => {
  const made = inMemory({ replyBytesMax: 100_000 });
  let listening: Server;
  let sockets: Socket[] = [];

  beforeEach(async () => {
    listening = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (accepted) => {
      const shared = isShared
        ? withSharedInput(accepted, (buffer, length) => connection.receiveLent(buffer, length))
        : undefined;
      const direct = isDirect ? directOutput(shared ?? accepted, () => connection.drained()) : undefined;
      const client = made.host.clients.enter('local', 0)!;
      const connection = new Connection(shared ?? accepted, made.host, client, direct);
      if (shared === undefined) accepted.resume();
      expect(shared !== undefined).toBe(isShared);
    });
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    await made.connect().ask('flush_all\r\n');
    await new Promise((resolve) => listening.close(resolve));
  });

  async function open(): Promise<{ socket: Socket; received: () => string; ended: () => boolean }> {
    const { port } = listening.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    const chunks: string[] = [];
    let ended = false;
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString('latin1')));
    socket.on('end', () => {
      ended = true;
    });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    return { socket, received: () => chunks.join(''), ended: () => ended };
  }

  test('printf … | nc: what was asked is answered, and the connection ends', async () => {
    const { socket, received, ended } = await open();
    socket.end(`${set('q', 'a')}get q\r\nquit\r\n`);
    await waitFor(ended);
    expect(received()).toBe(stored + hit('q', 'a'));
  });

  test.each(['destroy', 'resetAndDestroy', 'end'] as const)(
    'a wait ends with its client: %s',
    async (way) => {
      const { socket } = await open();
      socket.write('get q/t=60000\r\nversion\r\n');
      await waitFor(() => made.broker.waits === 1);
      // More, behind the request that waits.
      socket.write('version\r\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket[way]();
      await waitFor(() => made.broker.waits === 0);
    },
  );

  test.each(['destroy', 'resetAndDestroy', 'end'] as const)('open reads come back with: %s', async (way) => {
    const other = made.connect();
    await fill(other, 'q', 'a');
    const { socket, received } = await open();
    socket.write('get q/open\r\n');
    await waitFor(() => received() !== '');
    socket[way]();
    await waitFor(() => made.broker.registry.queues.get('q')!.reader.openReads.size === 0);
    expect(await other.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('a client that reads late gets everything, and the server holds little meanwhile', async () => {
    const body = 'x'.repeat(50_000);
    await fill(made.connect(), 'q', body);
    const { socket, received } = await open();
    socket.pause();
    const before = made.broker.counters.peek;
    const rounds = 500;
    socket.write('get q/peek\r\n'.repeat(rounds));
    await new Promise((resolve) => setTimeout(resolve, 200));
    // What the system's own buffers take varies; it is not all.
    expect(made.broker.counters.peek - before).toBeLessThan(rounds);
    socket.resume();
    const reply = hit('q/peek', body);
    await waitFor(() => received().length === reply.length * rounds);
  });

  test('a reader who is stuck and is cut off gives back what it held', async () => {
    const other = made.connect();
    const body = 'x'.repeat(200_000);
    for (let index = 0; index < 100; index += 1) await fill(other, 'q', body);
    const { socket } = await open();
    socket.pause();
    socket.write('get q/open\r\n'.repeat(100));
    const { reader } = made.broker.registry.queues.get('q')!;
    await waitFor(() => reader.openReads.size > 0);
    socket.resetAndDestroy();
    await waitFor(() => reader.openReads.size === 0);
    expect(made.broker.registry.queues.get('q')!.items).toBe(100);
  });

  test('what a client has sent in part is not written over by what others send', async () => {
    const one = await open();
    const two = await open();
    const bodies = ['a'.repeat(10), 'b'.repeat(3000), 'c\r\nd'];
    const whole = bodies.map((body) => set('mine', body)).join('');
    const noise = set('theirs', 'z'.repeat(60_000));
    for (let at = 0, step = 0; at < whole.length; at += step) {
      step = at > 80 && at < 2500 ? 500 : 7;
      one.socket.write(whole.slice(at, at + step));
      const before = two.received().length;
      two.socket.write(noise);
      await waitFor(() => two.received().length === before + stored.length);
    }
    // A wait, with more behind it than is carried out at once.
    one.socket.write(`get nothing/t=60000\r\n${'get mine/peek\r\n'.repeat(100)}`);
    await waitFor(() => made.broker.waits === 1);
    two.socket.write(noise + set('nothing', 'now'));
    const replies =
      stored.repeat(3) + hit('nothing/t=60000', 'now') + hit('mine/peek', bodies[0]!).repeat(100);
    await waitFor(() => one.received().length >= replies.length);
    expect(one.received()).toBe(replies);
    const all = await made.connect().ask('get mine\r\nget mine\r\nget mine\r\n');
    expect(all).toBe(bodies.map((body) => hit('mine', body)).join(''));
  });
});
