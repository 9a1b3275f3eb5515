import { type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Bus, connect, type KeptMessage, type Subscription } from '../../src/client/index.ts';
import { BusDaemon, type BusDaemonOptions } from '../../src/index.ts';

let folder: TemporaryFolder;
const daemons: BusDaemon[] = [];
const buses: Bus[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.close();
  for (const daemon of daemons.splice(0)) await daemon.stop();
  await folder[Symbol.asyncDispose]();
});

async function startDaemon(settings: BusDaemonOptions['settings'] = {}): Promise<BusDaemon> {
  const daemon = new BusDaemon({
    settings: {
      data: folder.path,
      listen: { host: '127.0.0.1', port: 0 },
      ws: { host: '127.0.0.1', port: 0 },
      adminPort: 0,
      keep: ['log*'],
      durable: { rates: { lastValue: true } },
      ...settings,
    },
  });
  await daemon.start();
  daemons.push(daemon);
  return daemon;
}

async function open(daemon: BusDaemon): Promise<Bus> {
  const bus = await connect(daemon.webSocketUrl!, {
    settings: { retryMs: 10, retryMaxMs: 50, sameDaemonMs: 100 },
  });
  buses.push(bus);
  return bus;
}

async function messages(subscription: Subscription, count: number): Promise<KeptMessage[]> {
  const found: KeptMessage[] = [];
  while (found.length < count) {
    const { value, done } = await subscription.next();
    if (done) break;
    if (value.kind === 'message') found.push(value);
  }
  return found;
}

/** Those without labels, by name. */
async function metrics(daemon: BusDaemon): Promise<Record<string, number>> {
  const text = await (await fetch(`${daemon.adminUrl}/metrics`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^rookery_bus_(\w+) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]),
  );
}

const texts = (found: readonly KeptMessage[]): string[] => found.map(({ text }) => text);

it('who comes later reads what was sent before, and then what comes', async () => {
  const bus = await open(await startDaemon());
  for (let n = 1; n <= 5; n++) await bus.multicast('log', `m${n}`, { key: `k${n}` });
  const subscription = await (await open(daemons[0]!)).subscribe('log', { from: 'start' });
  const found = await messages(subscription, 5);
  expect(texts(found)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
  expect(found.map(({ sequence, key }) => `${sequence} ${key}`)).toEqual([
    '1 k1',
    '2 k2',
    '3 k3',
    '4 k4',
    '5 k5',
  ]);
  expect(Math.abs(found[0]!.timeMs - Date.now())).toBeLessThan(60_000);
  expect(await subscription.next()).toMatchObject({ value: { kind: 'caught_up', sequence: 5 } });
  await bus.multicast('log', 'live');
  expect(texts(await messages(subscription, 1))).toEqual(['live']);
});

it('reads from a sequence, from a time, or so many back', async () => {
  const bus = await open(await startDaemon());
  for (let n = 1; n <= 3; n++) await bus.multicast('log', `m${n}`);
  const between = Date.now() + 1;
  await waitFor(() => Date.now() > between, { what: 'the clock to move' });
  for (let n = 4; n <= 6; n++) await bus.multicast('log', `m${n}`);
  for (const [from, first] of [
    [{ sequence: 3 }, 'm3'],
    [{ timeMs: between }, 'm4'],
    [{ last: 2 }, 'm5'],
  ] as const) {
    const subscription = await bus.subscribe('log', { from });
    expect(texts(await messages(subscription, 1))).toEqual([first]);
    await subscription.close();
  }
});

it('gives only what the filter names, of the past and live', async () => {
  const bus = await open(await startDaemon());
  const send = (data: string, key = ''): Promise<void> => bus.multicast('log', data, { key });
  await send('{"status":200,"who":{"name":"eve"}}', 'web.a');
  await send('{"status":404,"who":{"name":"bob"}}', 'web.b');
  await send('An ERROR: disk full', 'disk');
  for (const [filter, expected] of [
    [{ keys: ['web.*'] }, ['{"status":200,"who":{"name":"eve"}}', '{"status":404,"who":{"name":"bob"}}']],
    [{ fields: { status: [404, 500] } }, ['{"status":404,"who":{"name":"bob"}}']],
    [{ fields: { 'who.name': ['eve'] } }, ['{"status":200,"who":{"name":"eve"}}']],
    [{ words: ['full error', 'nothing'] }, ['An ERROR: disk full']],
  ] as const) {
    const subscription = await bus.subscribe('log', { from: { sequence: 1 }, filter });
    expect(texts(await messages(subscription, expected.length))).toEqual(expected);
    await subscription.close();
  }
  const live = await bus.subscribe('log', { filter: { words: ['error'] } });
  await send('all is well');
  await send('errors are none');
  await send('the error!');
  expect(texts(await messages(live, 1))).toEqual(['the error!']);
});

it('shows the last value of each key, also after the daemon was started again', async () => {
  const first = await startDaemon();
  const bus = await open(first);
  for (const [key, value] of [
    ['eur', '1'],
    ['usd', '2'],
    ['eur', '3'],
    ['gbp', '4'],
    ['gbp', ''],
  ] as const) {
    await bus.multicast('rates', value, { key });
  }
  expect(texts(await messages(await bus.subscribe('rates', { lastValue: true }), 2))).toEqual(['2', '3']);
  await bus.close();
  await first.stop();
  daemons.splice(0);
  const again = await open(await startDaemon());
  const view = await again.subscribe('rates', { lastValue: true });
  expect(texts(await messages(view, 2)).sort()).toEqual(['2', '3']);
  expect(await view.next()).toMatchObject({ value: { kind: 'caught_up' } });
  await again.multicast('rates', '5', { key: 'usd' });
  expect(texts(await messages(view, 1))).toEqual(['5']);
});

it('a reader goes on at its cursor, and a session that is lost is no gap', async () => {
  const daemon = await startDaemon({ resumeMs: 0 });
  const port = Number(new URL(daemon.webSocketUrl!).port);
  const bus = await open(daemon);
  for (let n = 1; n <= 10; n++) await bus.multicast('log', `m${n}`);
  const subscription = await (await open(daemon)).subscribe('log', { from: 'start' });
  expect(texts(await messages(subscription, 4))).toEqual(['m1', 'm2', 'm3', 'm4']);
  const { cursor } = subscription;
  expect(cursor).toMatch(/^1_[0-9a-z._]+$/);
  await daemon.stop();
  daemons.splice(0);
  await startDaemon({ ws: { host: '127.0.0.1', port } });
  expect(texts(await messages(subscription, 6))).toEqual(['m5', 'm6', 'm7', 'm8', 'm9', 'm10']);
  const later = await open(daemons[0]!);
  const other = await later.subscribe('log', { from: { cursor: cursor! } });
  expect(texts(await messages(other, 6))).toEqual(['m5', 'm6', 'm7', 'm8', 'm9', 'm10']);
});

it('who follows last values and loses its session is told what they are now, and what has ended', async () => {
  const daemon = await startDaemon({ resumeMs: 0 });
  const port = Number(new URL(daemon.webSocketUrl!).port);
  const bus = await open(daemon);
  for (const key of ['eur', 'usd', 'gbp']) await bus.multicast('rates', `${key} 1`, { key });
  const view = await (await open(daemon)).subscribe('rates', { lastValue: true });
  expect(texts(await messages(view, 3))).toEqual(['eur 1', 'usd 1', 'gbp 1']);
  await bus.multicast('rates', '', { key: 'eur' });
  await bus.multicast('rates', 'usd 2', { key: 'usd' });
  await daemon.stop();
  daemons.splice(0);
  await startDaemon({ ws: { host: '127.0.0.1', port } });
  const values = new Map<string, string>();
  while (values.size < 3 || values.get('usd') !== 'usd 2') {
    for (const { key, text } of await messages(view, 1)) values.set(key, text);
  }
  expect([...values].sort()).toEqual([
    ['eur', ''],
    ['gbp', 'gbp 1'],
    ['usd', 'usd 2'],
  ]);
});

it('refuses what is not kept, what is no cursor, and what is subscribed to', async () => {
  const bus = await open(await startDaemon());
  await expect(bus.subscribe('news')).rejects.toMatchObject({ code: 'NOT_KEPT' });
  await expect(bus.subscribe('log', { lastValue: true })).rejects.toMatchObject({ code: 'NOT_KEPT' });
  await expect(bus.subscribe('log', { from: { cursor: 'x' } })).rejects.toMatchObject({ code: 'BAD_CURSOR' });
  await bus.subscribe('log');
  await expect(bus.subscribe('log')).rejects.toMatchObject({ code: 'ALREADY_A_MEMBER' });
});

it('refuses who subscribes to one group more than may be kept, and counts what is not kept', async () => {
  const daemon = await startDaemon({ maxKeptGroups: 1 });
  const bus = await open(daemon);
  await bus.multicast('log.a', 'kept');
  await bus.multicast('log.b', 'not kept');
  await expect(bus.subscribe('log.b')).rejects.toMatchObject({ code: 'TOO_MANY_KEPT' });
  expect(texts(await messages(await bus.subscribe('log.a', { from: 'start' }), 1))).toEqual(['kept']);
  expect(await metrics(daemon)).toMatchObject({ kept_groups: 1, kept_refused_total: 1, kept_messages: 1 });
});

it('shows what is kept on the admin port', async () => {
  const daemon = await startDaemon();
  const bus = await open(daemon);
  const origin = { publisher: 'ab'.repeat(16), sequence: 1 };
  await bus.multicast('rates', '1', { key: 'eur', origin });
  await bus.multicast('rates', '1', { key: 'eur', origin });
  await bus.multicast('rates', '2', { key: 'usd' });
  await messages(await bus.subscribe('rates', { from: 'start' }), 2);
  const answer = await (await fetch(`${daemon.adminUrl}/kept`)).json();
  const bytes = daemon.parts.durable.groups.get('rates')!.bytes;
  expect(answer).toEqual({
    kept: [
      {
        name: 'rates',
        whole: true,
        messages: 2,
        bytes,
        oldest_ms: expect.any(Number),
        first_sequence: 1,
        last_sequence: 2,
        held: 0,
        keys: 2,
        readers: 1,
        readers_behind: 0,
        stored_total: 2,
        filled_total: 0,
        given_total: 0,
        repeats_total: 1,
        restated_total: 0,
      },
    ],
    next_after: null,
    refused_total: 0,
  });
  expect(Math.abs(answer.kept[0].oldest_ms - Date.now())).toBeLessThan(60_000);
  expect(await metrics(daemon)).toMatchObject({
    kept_messages: 2,
    kept_bytes: bytes,
    kept_keys: 2,
    kept_readers: 1,
    kept_readers_behind: 0,
    kept_repeats_total: 1,
  });
});

it('a reader that stops reading loses nothing and holds nobody up; what it has not read is on the disk only', async () => {
  const daemon = await startDaemon({ outboxBytes: 4_194_304 });
  const [bus, other] = [await open(daemon), await open(daemon)];
  const slow = await (await open(daemon)).subscribe('log', { from: 'start' });
  const live = await other.subscribe('log');
  const count = 20_000;
  const heard = messages(live, count + 1);
  for (let n = 1; n <= count; n++) if (!bus.send('log', `${n} ${'x'.repeat(500)}`)) await bus.drained();
  await bus.multicast('log', 'last');
  expect(await heard).toHaveLength(count + 1);
  // 12 MB, of which it is given what its client takes unread, a read's worth waits, and one is on its way.
  const { outbox_bytes, kept_bytes, kept_readers_behind } = await metrics(daemon);
  expect(kept_readers_behind).toBe(1);
  expect(kept_bytes).toBeGreaterThan(11_000_000);
  expect(outbox_bytes).toBeLessThan(3_000_000);
  const found = await messages(slow, count + 1);
  expect(found.map(({ sequence }) => sequence)).toEqual(Array.from({ length: count + 1 }, (_, n) => n + 1));
});

it('what is too much or too old is let go of, but not the last value of a key', async () => {
  const bus = await open(
    await startDaemon({ durable: { rates: { lastValue: true, retentionBytes: 100_000 } } }),
  );
  await bus.multicast('rates', 'first', { key: 'old' });
  for (let n = 1; n <= 5000; n++)
    if (!bus.send('rates', 'x'.repeat(100), { key: 'new' })) await bus.drained();
  await bus.multicast('rates', 'newest', { key: 'new' });
  const group = daemons[0]!.parts.durable.groups.get('rates')!;
  await waitFor(() => group.count < 3000, { what: 'the oldest to be let go of' });
  const view = await bus.subscribe('rates', { lastValue: true });
  expect(texts(await messages(view, 2)).sort()).toEqual(['first', 'newest']);
});
