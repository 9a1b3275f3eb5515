import { Random, SimulatedClock, waitFor } from '@rookery/testkit';
import { describe, expect, it } from 'vitest';
import { WebSocket as WebSocketOfWs } from 'ws';
import {
  type ConnectOptions,
  connect,
  type GroupEvent,
  joinFlush,
  type StateChange,
  type WebSocketConstructor,
} from '../../src/client/index.ts';
import { startInProcess } from '../in-process.ts';
import { FakeDaemon, FULL } from './fake-daemon.ts';
import { startFakeServer } from './fake-server.ts';
import { MemoryNetwork } from './memory-network.ts';

const IMPLEMENTATIONS: Readonly<Record<string, Pick<ConnectOptions, 'WebSocket'>>> = {
  'the global WebSocket': {},
  'that of the npm package ws': { WebSocket: WebSocketOfWs as unknown as WebSocketConstructor },
};

async function next<T>(events: AsyncIterable<T>): Promise<T> {
  const { value, done } = await events[Symbol.asyncIterator]().next();
  if (done) throw new Error('it has ended');
  return value;
}

describe.each(Object.entries(IMPLEMENTATIONS))('with %s, against a real daemon', (_, implementation) => {
  it('two sessions join, send and leave', async () => {
    const { url } = await startInProcess();
    await using alice = await connect(url, { name: 'alice', ...implementation });
    await using bob = await connect([url], { name: 'bob', ...implementation });
    expect([alice.session, alice.state]).toEqual(['#alice#d1', 'connected']);

    const hers = await alice.join('news');
    expect(await next(hers)).toMatchObject({ kind: 'view', cause: 'join', members: ['#alice#d1'] });
    const his = await bob.join('news');
    expect(await next(hers)).toMatchObject({ kind: 'view', changed: '#bob#d1' });
    expect(await next(his)).toMatchObject({ kind: 'view', members: ['#alice#d1', '#bob#d1'] });
    expect(await his.members()).toEqual(['#alice#d1', '#bob#d1']);
    expect(await bob.groups()).toEqual([{ name: 'news', members: 2 }]);

    await bob.multicast(['news', 'other'], 'grüezi', { service: 'safe', messageType: 7, key: 'k' });
    expect(await next(hers)).toMatchObject({
      kind: 'message',
      sender: '#bob#d1',
      groups: ['news', 'other'],
      service: 'safe',
      messageType: 7,
      key: 'k',
      text: 'grüezi',
    });
    expect(await next(his)).toMatchObject({ kind: 'message', text: 'grüezi' });
    await his.multicast('only for others', { selfDiscard: true });
    await hers.multicast(new Uint8Array([1, 2]));
    expect(await next(his)).toMatchObject({ sender: '#alice#d1', data: new Uint8Array([1, 2]) });

    const inbox = alice.inbox();
    await bob.multicast(alice.session, 'psst');
    expect(await next(inbox)).toMatchObject({ text: 'psst', groups: ['#alice#d1'] });

    await his.leave();
    expect(await his.next()).toEqual({ done: true, value: undefined });
    expect(await hers.members()).toEqual(['#alice#d1']);
  });

  it('20,000 messages come in order', { timeout: 60_000 }, async () => {
    const { url } = await startInProcess();
    await using bus = await connect(url, implementation);
    const group = await bus.join('numbers');
    const COUNT = 20_000;
    const sending = (async () => {
      for (let index = 0; index < COUNT; index++) if (!group.send(String(index))) await bus.drained();
    })();
    let expected = 0;
    const started = performance.now();
    for await (const event of group) {
      if (event.kind !== 'message') continue;
      if (event.text !== String(expected)) expect(event.text).toBe(String(expected));
      if (++expected === COUNT) break;
    }
    await sending;
    console.log(`${Math.round(COUNT / (performance.now() - started))} messages per ms there and back`);
  });
});

describe('what goes wrong', () => {
  it('arguments that no daemon takes are told before anything is sent', async () => {
    await using server = await startFakeServer();
    await expect(connect([])).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(connect('http:/:x')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(connect(server.url, { name: 'eleven char' })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(connect(server.url, { settings: { retryMs: -1 } })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(connect(server.url, { settings: { writeWindowBytes: 0 } })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await using deaf = await connect(server.url, { membership: false });
    await expect(joinFlush(deaf, 'g')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await using bus = await connect(server.url);
    await expect(bus.join('a b')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(bus.multicast('a b', '')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(bus.multicast([], '')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(bus.multicast('g', '', { key: 'ü'.repeat(128) })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(bus.multicast('g', new Uint8Array(17 * 1024 * 1024))).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
    await expect(bus.multicast(Array(101).fill('g'), '')).rejects.toMatchObject({ code: 'TOO_MANY_GROUPS' });
    expect(() => bus.send('a b', '')).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  it('a refused join is told, and the session goes on', async () => {
    await using server = await startFakeServer();
    await using bus = await connect(server.url);
    await expect(bus.join(FULL)).rejects.toMatchObject({ code: 'TOO_MANY_LISTENERS' });
    const group = await bus.join('g');
    await expect(bus.join('g')).rejects.toMatchObject({ code: 'ALREADY_A_MEMBER' });
    await group.leave();
    await group.leave();
    expect((await bus.join('g')).name).toBe('g');
  });

  it('a daemon that is not there, a wrong token and a taken name end connect', async () => {
    await using server = await startFakeServer({ token: 'sesame' });
    await expect(connect('ws://127.0.0.1:1')).rejects.toMatchObject({ code: 'COULD_NOT_CONNECT' });
    await expect(connect(server.url)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await using bus = await connect(['ws://127.0.0.1:1', server.url], {
      name: 'alice',
      token: async () => 'sesame',
      settings: { retryMs: 1 },
    });
    expect(bus.session).toBe('#alice#h1');
    await expect(connect(server.url, { name: 'alice', token: 'sesame' })).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    });
  });

  it('closing ends what waits: readers without, requests with CLOSED', async () => {
    await using server = await startFakeServer({ confirmsAtOnce: () => false });
    const stop = new AbortController();
    const states: StateChange[] = [];
    const bus = await connect(server.url, {
      signal: stop.signal,
      onState: (change) => states.push(change),
    });
    const reading = bus[Symbol.asyncIterator]().next();
    const sending = bus.multicast('g', 'x');
    const draining = expect(sending).rejects.toMatchObject({ code: 'CLOSED' });
    stop.abort();
    await draining;
    expect(await reading).toEqual({ done: true, value: undefined });
    await expect(bus.join('g')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(bus.members('g')).rejects.toMatchObject({ code: 'CLOSED' });
    await bus.close();
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'connected', 'closed']);
    await waitFor(() => server.daemon.sessions.every(({ alive }) => !alive), { what: 'the goodbye' });
    await expect(connect(server.url, { signal: stop.signal })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('a room that is read while the bus closes ends as any loop does', async () => {
    let confirms = true;
    await using server = await startFakeServer({ confirmsAtOnce: () => confirms });
    const bus = await connect(server.url);
    const room = await joinFlush(bus, 'room');
    confirms = false;
    bus.send('g', 'x');
    const closed = bus.close();
    // Its first view is read now, and to say that it has been is too late.
    const next = room.next();
    room.flush();
    await waitFor(() => server.daemon.sessions[0]!.taken === 2, { what: 'the message' });
    server.daemon.confirm();
    await closed;
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('close waits until what was sent is confirmed', async () => {
    await using server = await startFakeServer({ confirmsAtOnce: () => false });
    const bus = await connect(server.url);
    const sent = bus.multicast('g', 'x');
    const closed = bus.close();
    await waitFor(() => server.daemon.sessions[0]!.taken === 1, { what: 'the message' });
    server.daemon.confirm();
    await sent;
    await closed;
  });
});

describe('reading', () => {
  it('who does not read is sent no more than the window, and goes on where it stopped', async () => {
    await using server = await startFakeServer();
    await using bus = await connect(server.url, { settings: { readWindowBytes: 10_000 } });
    const group = await bus.join('g');
    for (let index = 0; index < 100; index++) group.send(`${index} ${'x'.repeat(1000)}`);
    await group.multicast('last');
    const [session] = server.daemon.sessions;
    expect(session!.sent).toBeLessThan(13);
    const read: string[] = [];
    for await (const event of group) {
      if (event.kind !== 'message') continue;
      read.push(event.text.split(' ')[0]!);
      if (event.text === 'last') break;
    }
    expect(read).toEqual([...Array(100).keys(), 'last'].map(String));
  });

  it('the loop over the bus takes over what the groups have not read', async () => {
    await using server = await startFakeServer();
    await using bus = await connect(server.url);
    const [g, h] = [await bus.join('g'), await bus.join('h')];
    await bus.multicast(['h', 'g'], 'both');
    expect(await next(g)).toMatchObject({ kind: 'view' });
    const all: string[] = [];
    for await (const event of bus) {
      all.push(event.kind === 'message' ? event.text : event.kind);
      if (all.length === 1) await bus.multicast(bus.session, 'mine');
      if (event.kind === 'message' && event.text === 'mine') await h.leave();
      if (event.kind === 'left') break;
    }
    expect(all).toEqual(['view', 'both', 'mine', 'left']);
    await expect(g.next()).rejects.toMatchObject({ code: 'NOT_READABLE' });
  });

  it('a group that is left and joined again shows nothing of the earlier stay', async () => {
    await using server = await startFakeServer();
    await using bus = await connect(server.url);
    const before = await bus.join('g');
    const leaving = before.leave();
    const after = bus.join('g');
    bus.send('g', 'now');
    await leaving;
    const group = await after;
    expect(await next(group)).toMatchObject({ kind: 'view' });
    expect(await next(group)).toMatchObject({ text: 'now' });
  });
});

describe('connections, without waiting', () => {
  const URLS = ['ws://h1', 'ws://h2'] as const;

  function world(options: Partial<ConnectOptions> = {}) {
    const clock = new SimulatedClock();
    const random = new Random(1);
    const daemons = { [URLS[0]]: new FakeDaemon({ name: 'h1' }), [URLS[1]]: new FakeDaemon({ name: 'h2' }) };
    const network = new MemoryNetwork({ clock, random, daemons });
    const states: StateChange[] = [];
    const open = (urls: string | readonly string[] = URLS[0]) =>
      clock.run(
        connect(urls, {
          name: 'alice',
          clock,
          random: () => 1,
          WebSocket: network.WebSocket,
          onState: (change) => states.push(change),
          ...options,
        }),
      );
    return { clock, network, daemons, states, open };
  }

  it('waits double after each attempt, up to the most, and tries its own daemon first', async () => {
    const { clock, network, states, open } = world();
    const bus = await open(URLS);
    for (const url of URLS) network.down.add(url);
    states.length = 0;
    const from = clock.elapsedMs;
    const times: string[] = [];
    network.cutAll();
    for (let step = 0; step < 60_000 / 10; step++) {
      await clock.advance(10);
      for (const state of states.splice(0)) {
        if (state.state === 'connecting')
          times.push(`${Math.round((clock.elapsedMs - from) / 100) / 10} ${state.url}`);
      }
    }
    // Four attempts begin within two seconds.
    expect(times.map((time) => time.split(' ')[1]?.slice(-2)).join(' ')).toBe(
      'h1 h1 h1 h1 h2 h1 h2 h1 h2 h1',
    );
    const waits = times.map(
      (time, index) => Number(time.split(' ')[0]) - Number(times[index - 1]?.split(' ')[0] ?? 0),
    );
    for (const [index, wanted] of [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10].entries()) {
      expect(Math.abs(waits[index]! - wanted), `${index}: ${waits}`).toBeLessThan(0.2);
    }
    expect(bus.state).toBe('connecting');
    bus.close();
  });

  it('a daemon that does not come back is given up for another one, where the groups are joined again', async () => {
    const { clock, network, daemons, open } = world();
    const bus = await open(URLS);
    const group = await clock.run(bus.join('g'));
    expect(await clock.run(next(group))).toMatchObject({ kind: 'view' });
    network.down.add(URLS[0]);
    network.cutAll();
    const sent = clock.run(
      bus.multicast('g', 'x').catch((error) => error.code),
      'the message',
    );
    expect(await sent).toBe('SESSION_LOST');
    expect(await clock.run(next(group))).toMatchObject({ kind: 'lost', session: '#alice#h1' });
    expect(await clock.run(next(group))).toMatchObject({ kind: 'view', members: ['#alice#h2'] });
    expect(bus.session).toBe('#alice#h2');
    expect(daemons[URLS[1]].groups.get('g')).toEqual(['#alice#h2']);
    bus.close();
  });

  it('a daemon that is silent is asked, and left when it does not answer', async () => {
    const { clock, network, daemons, states, open } = world();
    const bus = await open();
    await clock.advance(60_000);
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'connected']);
    daemons[URLS[0]].answers = false;
    await clock.advance(15_000 + 5000 + 200);
    expect(states.slice(2)).toMatchObject([{ state: 'connecting' }, { state: 'connected', resumed: true }]);
    expect(network.cuts).toBe(0);
    bus.close();
  });

  it('who gives up says why, to all that wait', async () => {
    const { clock, network, open } = world({ settings: { reconnectAttempts: 3 } });
    const bus = await open();
    const group = await clock.run(bus.join('g'));
    await clock.run(next(group));
    network.down.add(URLS[0]);
    network.cutAll();
    const ends = [group.next(), bus.multicast('g', 'x'), bus.members('g')].map((waiting) =>
      waiting.catch((error) => error.code),
    );
    expect(await clock.run(Promise.all(ends))).toEqual(Array(3).fill('COULD_NOT_CONNECT'));
    expect(bus.state).toBe('closed');
  });

  it('a session that another connection has taken over is not taken back', async () => {
    const { clock, daemons, open } = world();
    const bus = await open();
    const daemon = daemons[URLS[0]];
    const reading = bus[Symbol.asyncIterator]().next();
    daemon.end(daemon.sessions[0]!, 'REPLACED');
    await expect(clock.run(reading)).rejects.toMatchObject({ code: 'REPLACED' });
  });

  it('what one turn asks for goes out in one frame', async () => {
    const { clock, network, open } = world();
    const bus = await open();
    const before = network.frames;
    for (let index = 0; index < 50; index++) bus.send('g', 'x');
    await clock.turn();
    expect(network.frames - before).toBe(1);
    bus.close();
  });

  it('a program that reads nothing while sessions come and go does not fill its memory', async () => {
    const { clock, daemons, open } = world();
    const bus = await open();
    const group = await clock.run(bus.join('g'));
    const daemon = daemons[URLS[0]];
    for (let life = 0; life < 5; life++) {
      for (let index = 0; index < 10; index++) bus.send('g', `${life}.${index}`);
      await clock.advance(1000);
      daemon.end(daemon.session(bus.session)!, 'TOO_SLOW');
      await clock.advance(1000);
    }
    await clock.run(bus.multicast('g', 'last'));
    const read: string[] = [];
    for (let event: GroupEvent | undefined; event?.kind !== 'message' || event.text !== 'last'; ) {
      event = (await clock.run(group.next())).value as GroupEvent;
      read.push(event.kind === 'message' ? event.text : event.kind);
    }
    const first = [...Array(10).keys()].map((index) => `0.${index}`);
    expect(read).toEqual(['view', ...first, 'lost', 'lost', 'view', 'last']);
    bus.close();
  });
});
