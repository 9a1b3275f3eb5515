import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@rookery/testkit';
import { describe, expect, it } from 'vitest';
import type { SlowPolicy } from '../../src/session/outbox.ts';
import { type InProcess, startInProcess, startInProcessRing } from '../in-process.ts';
import type { SpreadClient } from '../spread-client.ts';
import type { WebSocketClient } from '../websocket-client.ts';

const OUTBOX_BYTES = 1024 * 1024;
const MESSAGE_BYTES = 64 * 1024;
/** 32 MiB: more than the outbox and what the system keeps for both ends. */
const COUNT = 512;

const withPolicy = (slowPolicy: SlowPolicy, more = {}) => ({
  outboxBytes: OUTBOX_BYTES,
  slowTimeoutMs: 60_000,
  groups: { g: { slowPolicy } },
  ...more,
});

interface Sluggish {
  readonly session: string;
  read(): void;
  readonly client: SpreadClient | WebSocketClient;
}

/** In the group `g`, and then not reading. */
async function sluggish(bus: InProcess, wire: string, name: string): Promise<Sluggish> {
  if (wire === 'spread') {
    const client = await bus.spread({ name, membership: false, dataLimit: 1024 * 1024 });
    client.join('g');
    client.send(client.session, 'joined');
    await client.text();
    client.socket.pause();
    return { session: client.session, read: () => client.socket.resume(), client };
  }
  const client = await bus.webSocket({ name, membership: false });
  await client.enter('g');
  client.ws.pause();
  return { session: client.session, read: () => client.ws.resume(), client };
}

function numbered(n: number): Buffer {
  const data = Buffer.alloc(MESSAGE_BYTES);
  data.write(`${n} `);
  return data;
}

function numberOf(text: string): number {
  return Number(text.slice(0, text.indexOf(' ')));
}

function sendAll(sender: SpreadClient, count = COUNT): void {
  for (let n = 0; n < count; n++) sender.send('g', numbered(n));
}

async function numbers(client: SpreadClient | WebSocketClient, count: number): Promise<number[]> {
  return (await client.texts(count)).map(numberOf);
}

/** As fast as a reading neighbour takes them; what it got. */
async function sendPaced(
  send: (n: number) => void,
  neighbour: SpreadClient | WebSocketClient,
): Promise<number[]> {
  const got: number[] = [];
  while (got.length < COUNT) {
    for (let n = 0; n < 4; n++) send(got.length + n);
    got.push(...(await numbers(neighbour, 4)));
  }
  return got;
}

const all = Array.from({ length: COUNT }, (_, n) => n);
const isHere = (bus: InProcess, { session }: { session: string }) =>
  bus.daemon.parts.sessions.find(session) !== undefined;

describe.each(['spread', 'websocket'])('a receiver on %s that stops reading', (wire) => {
  it('ends under disconnect, and nobody else notices', async () => {
    const bus = await startInProcess(withPolicy('disconnect'));
    const slow = await sluggish(bus, wire, 'slow');
    const neighbour = await bus.webSocket('neighbour');
    await neighbour.enter('g');
    const sender = await bus.spread('sender');
    expect(await sendPaced((n) => sender.send('g', numbered(n)), neighbour)).toEqual(all);
    expect(isHere(bus, slow)).toBe(false);
    expect(bus.daemon.parts.sessions.counters.ended.too_slow).toBe(1);
    expect(bus.daemon.parts.sessions.outboxesBytes).toBeLessThan(OUTBOX_BYTES);
  });

  it('holds up all senders under slow, at other daemons too, and lets them go: nothing is lost', async () => {
    const [here, there] = (await startInProcessRing(2, withPolicy('slow'))) as [InProcess, InProcess];
    const slow = await sluggish(here, wire, 'slow');
    const neighbour = await there.webSocket('neighbour');
    await neighbour.enter('g');
    const near = await here.spread('near');
    const far = await there.spread('far');
    sendAll(far);
    await waitFor(() => there.daemon.parts.groups.isPressed('g'), { what: 'pressure at the other daemon' });
    near.send('g', numbered(-1));
    near.send('other', 'free');
    // Held up: what came stays well below what was sent, for as long as nothing is read.
    const before = neighbour.received;
    await delay(300);
    expect(neighbour.received - before).toBeLessThan(64);
    expect(neighbour.received).toBeLessThan(COUNT);
    expect(here.daemon.parts.sessions.find(slow.session)!.outboxBytes).toBeLessThan(2 * OUTBOX_BYTES);
    slow.read();
    const texts = await slow.client.texts(COUNT + 1);
    expect(texts.map(numberOf).filter((n) => n >= 0)).toEqual(all);
    expect((await numbers(neighbour, COUNT + 1)).filter((n) => n >= 0)).toEqual(all);
    expect(there.daemon.parts.groups.isPressed('g')).toBe(false);
    expect(isHere(here, slow)).toBe(true);
  });

  it('ends under slow when it takes nothing for slow_timeout_ms, and the senders go on', async () => {
    // Longer than a busy machine stops this process, in which who reads is not to be ended.
    const bus = await startInProcess(withPolicy('slow', { slowTimeoutMs: 2000 }));
    const slow = await sluggish(bus, wire, 'slow');
    const neighbour = await bus.webSocket('neighbour');
    await neighbour.enter('g');
    const sender = await bus.spread('sender');
    sendAll(sender);
    expect(await numbers(neighbour, COUNT)).toEqual(all);
    expect(isHere(bus, slow)).toBe(false);
    expect(bus.daemon.parts.groups.isPressed('g')).toBe(false);
  });

  it('loses the oldest under drop-oldest, and stays', async () => {
    const bus = await startInProcess(withPolicy('drop-oldest'));
    const slow = await sluggish(bus, wire, 'slow');
    const neighbour = await bus.webSocket('neighbour');
    await neighbour.enter('g');
    const sender = await bus.spread('sender');
    expect(await sendPaced((n) => sender.send('g', numbered(n)), neighbour)).toEqual(all);
    const { outboxBytes } = bus.daemon.parts.sessions.find(slow.session)!;
    expect(outboxBytes).toBeLessThanOrEqual(OUTBOX_BYTES);
    slow.read();
    const got: number[] = [];
    while (got.at(-1) !== COUNT - 1) got.push(numberOf(await slow.client.text()));
    expect(got).toEqual([...got].sort((a, b) => a - b));
    expect(got.length).toBeLessThan(COUNT);
    // Half of the outbox may be on its way; what waits in the other is the newest.
    expect(got.slice(-7)).toEqual(all.slice(-7));
    const { dropped } = bus.daemon.parts.sessions.find(slow.session)!.counters;
    expect(dropped + got.length).toBe(COUNT);
    const metrics = await (await fetch(`${bus.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`^rookery_bus_dropped_total ${dropped}$`, 'm'));
  });

  it('has the newest of each key under newest-per-key', async () => {
    const bus = await startInProcess(withPolicy('newest-per-key'));
    const slow = await sluggish(bus, wire, 'slow');
    const neighbour = await bus.spread('neighbour');
    await neighbour.enter('g');
    const sender = await bus.webSocket('sender');
    const send = (n: number) => sender.send('g', numbered(n), { key: `${n % 6}` });
    expect(await sendPaced(send, neighbour)).toEqual(all);
    slow.read();
    const got: number[] = [];
    while (got.at(-1) !== COUNT - 1) got.push(numberOf(await slow.client.text()));
    expect(got).toEqual([...got].sort((a, b) => a - b));
    expect(got.slice(-6)).toEqual(all.slice(-6));
    expect(got.length).toBeLessThan(COUNT);
  });
});

it('a WebSocket receiver is told how many were dropped, before what follows', async () => {
  const bus = await startInProcess(withPolicy('drop-oldest'));
  const slow = await bus.webSocket({ name: 'slow', membership: false });
  await slow.enter('g');
  slow.ws.pause();
  const sender = await bus.spread('sender');
  sendAll(sender);
  sender.send(sender.session, 'done');
  await sender.text();
  slow.ws.resume();
  let expected = 0;
  while (expected < COUNT) {
    const said = await slow.next();
    if (said.kind === 'dropped') {
      expect(said.group).toBe('g');
      expected += said.count;
    } else if (said.kind === 'message') expect(numberOf(said.text)).toBe(expected++);
  }
});

it('who sends and does not read, held up by itself, ends by slow_timeout_ms and holds up nobody longer', async () => {
  const bus = await startInProcess(withPolicy('slow', { slowTimeoutMs: 2000 }));
  const neighbour = await bus.webSocket('neighbour');
  await neighbour.enter('g');
  for (const wire of ['spread', 'websocket']) {
    const itself = await sluggish(bus, wire, wire);
    for (let n = 0; n < COUNT; n++) itself.client.send('g', numbered(n));
    await waitFor(() => !isHere(bus, itself), { what: 'it to be ended' });
  }
  const sender = await bus.spread('sender');
  sender.send('g', 'on');
  await neighbour.inbox.until((said) => said.kind === 'message' && said.text === 'on');
});

it('who had nothing to take for long is not ended as soon as senders are held up for it', async () => {
  const bus = await startInProcess(withPolicy('slow', { slowTimeoutMs: 3000 }));
  const idle = await bus.webSocket({ name: 'idle', membership: false, acknowledges: false });
  await idle.enter('g');
  const sender = await bus.spread('sender');
  await delay(3100);
  sendAll(sender, 12);
  await waitFor(() => bus.daemon.parts.groups.isPressed('g'), { what: 'pressure' });
  // Beyond the next look at slow receivers.
  await delay(700);
  expect(isHere(bus, idle)).toBe(true);
  for (let n = 0; n < 12; n++) {
    expect(numberOf(await idle.text())).toBe(n);
    idle.say({ type: 'ack', received: idle.received });
  }
});

it('a view does not end a receiver for whom senders are held up', async () => {
  const bus = await startInProcess(withPolicy('slow'));
  const slow = await bus.webSocket({ name: 'slow', acknowledges: false });
  await slow.enter('g');
  slow.ws.pause();
  const sender = await bus.spread('sender');
  sendAll(sender);
  await waitFor(() => bus.daemon.parts.groups.isPressed('g'), { what: 'pressure' });
  const passer = await bus.spread('passer');
  for (let i = 0; i < 10; i++) {
    await passer.enter('g');
    passer.leave('g');
  }
  expect(isHere(bus, slow)).toBe(true);
});

it('when all outboxes together are too much, the fullest ends', async () => {
  const bus = await startInProcess({
    outboxBytes: 64 * OUTBOX_BYTES,
    outboxesBytes: 8 * OUTBOX_BYTES,
    groups: { g: { slowPolicy: 'disconnect' } },
  });
  const full = await sluggish(bus, 'websocket', 'full');
  const light = await bus.webSocket({ name: 'light', membership: false });
  await light.enter('h');
  light.ws.pause();
  const sender = await bus.spread('sender');
  for (let n = 0; n < 4; n++) sender.send('h', numbered(n));
  sendAll(sender);
  await waitFor(() => !isHere(bus, full), { what: 'the fullest to be ended' });
  expect(isHere(bus, light)).toBe(true);
  light.ws.resume();
  expect(await numbers(light, 4)).toEqual([0, 1, 2, 3]);
  expect(bus.daemon.parts.sessions.outboxesBytes).toBeLessThan(8 * OUTBOX_BYTES);
});
