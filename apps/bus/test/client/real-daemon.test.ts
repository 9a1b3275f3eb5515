/** What the client and the daemon promise together, over real sockets that break. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { Random } from '@rookery/testkit';
import { expect, it } from 'vitest';
import { connect as connectStandard } from '../../src/client/index.ts';
import { connect, joinFlush, type Room, type RoomEvent, type StateChange } from '../../src/client/node.ts';
import { startInProcess, startInProcessRing } from '../in-process.ts';

interface Proxy extends AsyncDisposable {
  readonly url: string;
  cut(): void;
}

/** Passes bytes on until it is told to cut everything off. */
async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

it.each([
  ['Node’s client', connect],
  ['that of browsers', connectStandard],
])(
  '30,000 messages over a connection of %s that is cut again and again: each once, in order',
  {
    timeout: 60_000,
  },
  async (_, connect) => {
    const { url } = await startInProcess();
    await using proxy = await startProxy(url);
    const random = new Random(1);
    const states: StateChange[] = [];
    await using bus = await connect(proxy.url, {
      name: 'alice',
      settings: { retryMs: 5, retryMaxMs: 20, readWindowBytes: 64 * 1024, writeWindowBytes: 64 * 1024 },
      onState: (change) => states.push(change),
    });
    const group = await bus.join('g');
    const COUNT = 30_000;
    const sending = (async () => {
      for (let index = 0; index < COUNT; index++) {
        if (!group.send(String(index).padEnd(random.below(200)))) await bus.drained();
      }
      await group.multicast('last');
    })();
    const read: string[] = [];
    let nextCut = 500;
    for await (const event of group) {
      if (event.kind === 'view') continue;
      if (event.kind !== 'message') expect(event).toBeUndefined();
      else if (event.text === 'last') break;
      else read.push(event.text.trim());
      if (read.length === nextCut) {
        proxy.cut();
        nextCut += random.between(100, 2500);
      }
    }
    await sending;
    expect(read.length).toBe(COUNT);
    expect(read.findIndex((text, index) => text !== String(index))).toBe(-1);
    const resumed = states.filter((change) => change.state === 'connected' && change.resumed).length;
    console.log(`${resumed} connections were resumed`);
    expect(resumed).toBeGreaterThan(10);
  },
);

/** Answers what it is asked, until the view has so many members. */
async function until(room: Room, members: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const event of room as AsyncIterable<RoomEvent>) {
    if (event.kind === 'flush_request') room.flush();
    if (event.kind === 'message') texts.push(event.text);
    if (event.kind === 'view' && event.members.length === members) break;
  }
  return texts;
}

it('a room over two daemons: who stays has the same messages when a daemon goes', {
  timeout: 60_000,
}, async () => {
  const daemons = await startInProcessRing(2);
  const buses = [];
  for (const [index, name] of ['alice', 'bob', 'carol'].entries()) {
    buses.push(await connect(daemons[index === 2 ? 1 : 0]!.url, { name }));
  }
  const rooms: Room[] = [];
  for (const bus of buses) rooms.push(await joinFlush(bus, 'room'));
  await Promise.all(rooms.map((room) => until(room, 3)));
  expect(new Set(rooms.map((room) => room.view!.id)).size).toBe(1);

  const sent = rooms.map((room, index) =>
    Promise.all(
      [...Array(20).keys()].map((n) => room.multicast(`${index}.${n}`).catch((error) => error.code)),
    ),
  );
  const [alice, bob] = rooms.slice(0, 2).map((room) => until(room, 2));
  const leaving = daemons[1]!.daemon.stop();
  const [hers, his] = await Promise.all([alice!, bob!]);
  expect(hers).toEqual(his);
  expect(hers.filter((text) => text.startsWith('0.'))).toHaveLength(20);
  expect(rooms[0]!.view!.members).toEqual(['#alice#d1', '#bob#d1']);
  expect(rooms[0]!.view!.together).toEqual(['#alice#d1', '#bob#d1']);
  await expect(rooms[0]!.multicast('goes on')).resolves.toBeUndefined();
  await leaving;
  await Promise.all(buses.map((bus) => bus.close()));
  await Promise.all(sent);
  await expect(rooms[0]!.multicast('x')).rejects.toMatchObject({ code: 'CLOSED' });
});
