import { freePort, freeUdpPort, type TemporaryFolder, temporaryFolder, waitFor } from '@rookery/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, type Subscription } from '../../src/client/index.ts';
import { BusDaemon } from '../../src/index.ts';

const NAMES = ['h1', 'h2', 'h3'];

interface Host {
  readonly name: string;
  readonly folder: TemporaryFolder;
  readonly ring: number;
  readonly ws: number;
  daemon: BusDaemon | undefined;
}

let hosts: Host[] = [];

beforeEach(async () => {
  hosts = [];
  for (const name of NAMES) {
    const folder = await temporaryFolder();
    hosts.push({ name, folder, ring: await freeUdpPort(), ws: await freePort(), daemon: undefined });
  }
});

afterEach(async () => {
  for (const { daemon, folder } of hosts) {
    await daemon?.stop();
    await folder.remove();
  }
});

async function start(host: Host): Promise<void> {
  const { name, folder, ring, ws } = host;
  const daemon = new BusDaemon({
    settings: {
      name,
      data: folder.path,
      listen: { host: '127.0.0.1', port: 0 },
      ws: { host: '127.0.0.1', port: ws },
      adminPort: 0,
      ring: { host: '127.0.0.1', port: ring },
      peers: hosts
        .filter((other) => other !== host)
        .map((other) => ({ host: '127.0.0.1', port: other.ring })),
      durable: { view: { lastValue: true } },
      // A test machine that is busy is no dead daemon.
      tokenLossMs: 2000,
      consensusMs: 500,
    },
  });
  host.daemon = daemon;
  await daemon.start();
}

async function stop(host: Host): Promise<void> {
  await host.daemon?.stop();
  host.daemon = undefined;
}

/** All that live are one ring, and hold the same. */
async function agreed(count: number): Promise<void> {
  await waitFor(
    () =>
      hosts.every(({ daemon }) => {
        if (daemon === undefined) return true;
        const { engine, durable } = daemon.parts;
        const group = durable.groups.get('view');
        return engine.status().configuration?.members.length === count && group?.whole === true;
      }),
    { what: `${count} daemons that are whole`, withinMs: 30_000 },
  );
}

async function viewAt(host: Host): Promise<string> {
  const bus = await connect(`ws://127.0.0.1:${host.ws}`);
  const view = await bus.subscribe('view', { lastValue: true });
  const values: string[] = [];
  for await (const event of view) {
    if (event.kind !== 'message') break;
    values.push(`${event.key}=${event.text}`);
  }
  await bus.close();
  return values.sort().join(' ');
}

async function publish(host: Host, values: Readonly<Record<string, string>>): Promise<void> {
  const bus = await connect(`ws://127.0.0.1:${host.ws}`);
  for (const [key, value] of Object.entries(values)) await bus.multicast('view', value, { key });
  await bus.close();
}

async function texts(subscription: Subscription, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const { value } = await subscription.next();
    if (value?.kind === 'message') found.push(value.text);
  }
  return found;
}

it('the view survives the restart of every daemon, one at a time and all at once; a reader goes from one to another', {
  timeout: 120_000,
}, async () => {
  const [h1, h2, h3] = hosts as [Host, Host, Host];
  for (const host of hosts) await start(host);
  await publish(h1, { a: '1', b: '2' });
  await agreed(3);
  const urls = [h2, h1, h3].map(({ ws }) => `ws://127.0.0.1:${ws}`);
  const reader = await connect(urls, { settings: { sameDaemonMs: 50, retryMs: 20, retryMaxMs: 100 } });
  const subscription = await reader.subscribe('view', { from: 'start' });
  expect(await texts(subscription, 2)).toEqual(['1', '2']);
  let value = 3;
  for (const host of hosts) {
    await stop(host);
    // Sent while it is away: it hears of it from the others.
    await publish(host === h3 ? h1 : h3, { [host.name]: String(value) });
    expect(await texts(subscription, 1)).toEqual([String(value++)]);
    await start(host);
    await agreed(3);
  }
  const expected = 'a=1 b=2 h1=3 h2=4 h3=5';
  for (const host of hosts) expect(await viewAt(host)).toBe(expected);
  for (const host of hosts) await stop(host);
  for (const host of hosts) await start(host);
  await agreed(3);
  for (const host of hosts) expect(await viewAt(host)).toBe(expected);
  await publish(h2, { a: 'last' });
  expect(await texts(subscription, 1)).toEqual(['last']);
  await reader.close();
});
