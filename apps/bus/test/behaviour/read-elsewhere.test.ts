import { freeUdpPort, waitFor } from '@rookery/testkit';
import { afterEach, expect, it, vi } from 'vitest';
import { connect, type KeptMessage, type Subscription } from '../../src/client/index.ts';
import { type DaemonProcess, PATIENT, startDaemon } from '../daemon-process.ts';

// Processes, beside other tests on two cores.
vi.setConfig({ testTimeout: 120_000 });

const KEEPER = [...PATIENT, '--keep', 'log'];
const VIEWS = '[durable.view]\nlast_value = true\n';
const daemons: DaemonProcess[] = [];

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon[Symbol.asyncDispose]();
});

async function start(ports: readonly number[], index: number, keeps: boolean): Promise<DaemonProcess> {
  const daemon = await startDaemon({
    name: `d${index + 1}`,
    ring: { port: ports[index]!, peers: ports },
    flags: keeps ? KEEPER : PATIENT,
    ...(keeps ? { toml: VIEWS } : {}),
  });
  daemons.push(daemon);
  return daemon;
}

/** Two that keep, and one that doesn't. */
async function startThree(): Promise<{ keepers: DaemonProcess[]; other: DaemonProcess }> {
  const ports = [await freeUdpPort(), await freeUdpPort(), await freeUdpPort()];
  const keepers = await Promise.all([start(ports, 0, true), start(ports, 1, true)]);
  return { keepers, other: await start(ports, 2, false) };
}

async function take(subscription: Subscription, count: number): Promise<KeptMessage[]> {
  const found: KeptMessage[] = [];
  while (found.length < count) {
    const { value, done } = await subscription.next();
    if (done) throw new Error(`the subscription ended after ${found.length} of ${count}`);
    if (value.kind === 'message') found.push(value);
  }
  return found;
}

async function readersAt(daemon: DaemonProcess, group: string): Promise<number> {
  const { kept } = await daemon.admin<{ kept: { name: string; readers: number }[] }>('/kept');
  return kept.find(({ name }) => name === group)?.readers ?? 0;
}

it('a reader at a daemon that keeps nothing is given all once, in order, also when the keeper it is read from is killed', async () => {
  const { keepers, other } = await startThree();
  // At once: it may not have found the keepers yet.
  const reader = await connect(other.webSocketUrl);
  const subscription = await reader.subscribe('log', { from: 'start' });
  const publisher = await connect(other.webSocketUrl, { membership: false });
  let sent = 0;
  const send = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) {
      if (!publisher.send('log', `${sent++}`.padEnd(1000, '.'))) await publisher.drained();
    }
    await publisher.multicast('log', `${sent++}`);
  };
  const numbers: number[] = [];
  const read = async (count: number): Promise<void> => {
    for (const { text } of await take(subscription, count)) numbers.push(Number.parseInt(text, 10));
  };
  await send(3000);
  await read(500);
  const [first, second] = keepers as [DaemonProcess, DaemonProcess];
  const from = (await readersAt(first, 'log')) === 1 ? first : second;
  const onward = from === first ? second : first;
  expect(await readersAt(from, 'log')).toBe(1);
  expect(await readersAt(onward, 'log')).toBe(0);
  const sending = send(3000);
  await from.kill();
  await sending;
  await read(sent - numbers.length);
  await waitFor(async () => (await readersAt(onward, 'log')) === 1, {
    what: 'the reader at the other keeper',
  });
  await send(10);
  await read(11);
  expect(numbers).toEqual(Array.from({ length: sent }, (_, n) => n));
  await subscription.close();
  await waitFor(async () => (await readersAt(onward, 'log')) === 0, {
    what: 'the keeper to forget the reader',
  });
  await reader.close();
  await publisher.close();
});

it('last values and filters are for readers at a daemon that keeps nothing, too; what nobody keeps is refused', async () => {
  const { other } = await startThree();
  const bus = await connect(other.webSocketUrl);
  const view = await bus.subscribe('view', { lastValue: true });
  for (const [key, text] of [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ] as const)
    await bus.multicast('view', text, { key });
  expect((await take(view, 3)).map(({ key, text }) => `${key}=${text}`)).toEqual(['a=1', 'b=2', 'a=3']);
  await view.close();
  const later = await bus.subscribe('view', { lastValue: true });
  expect((await take(later, 2)).map(({ key, text }) => `${key}=${text}`).sort()).toEqual(['a=3', 'b=2']);
  for (const text of ['one', 'two', 'one more']) await bus.multicast('log', text);
  const some = await bus.subscribe('log', { from: 'start', filter: { words: ['one'] } });
  expect((await take(some, 2)).map(({ text }) => text)).toEqual(['one', 'one more']);
  await expect(bus.subscribe('log2')).rejects.toMatchObject({ code: 'NOT_KEPT' });
  await expect(bus.subscribe('nobody', { lastValue: true })).rejects.toMatchObject({ code: 'NOT_KEPT' });
  await bus.close();
});

it('a slow reader at a daemon that keeps nothing is waited for by its keeper, and the daemon holds little of it', async () => {
  const { keepers, other } = await startThree();
  const bus = await connect(other.webSocketUrl, {
    membership: false,
    settings: { readWindowBytes: 64 * 1024 },
  });
  const slow = await bus.subscribe('log', { from: 'start' });
  const publisher = await connect(keepers[0]!.webSocketUrl, { membership: false });
  const count = 20_000;
  const data = new Uint8Array(1000);
  for (let n = 0; n < count; n++) if (!publisher.send('log', data)) await publisher.drained();
  await publisher.multicast('log', data);
  const { text } = { text: await (await fetch(`${other.adminUrl}/metrics`)).text() };
  const outboxBytes = Number(/^rookery_bus_outbox_bytes (\d+)$/m.exec(text)![1]);
  expect(outboxBytes).toBeGreaterThan(0);
  expect(outboxBytes).toBeLessThan(2 * 1024 * 1024);
  expect(text).toMatch(/^rookery_bus_kept_readers_elsewhere 1$/m);
  const sequences = (await take(slow, count + 1)).map(({ sequence }) => sequence);
  expect(sequences).toEqual(Array.from({ length: count + 1 }, (_, n) => n + 1));
  await bus.close();
  await publisher.close();
});
