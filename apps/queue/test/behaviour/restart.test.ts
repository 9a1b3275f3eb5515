import { nodeDisk } from '@rookery/storage';
import { type TemporaryFolder, temporaryFolder } from '@rookery/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogStore } from '../../src/store/log-store.ts';
import { type InMemoryOptions, inMemory } from '../in-memory.ts';
import { hit, miss, set, stored } from './support.ts';

// The same server on its log: what is there after a restart.

let folder: TemporaryFolder;
let stop: () => Promise<void>;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await stop();
  await folder.remove();
});

/** Replies wait for the log here, so that each is expected by its length. */
async function start(options: InMemoryOptions = {}) {
  const store = await openLogStore({
    disk: nodeDisk,
    directory: folder.path,
    sync: 'always',
    maxPayloadBytes: 1024 * 1024,
    backlogBytes: 1024 * 1024,
    reserveBytes: 4 * 1024 * 1024,
  });
  const { broker, connect } = inMemory({ ...options, store });
  stop = async () => {
    broker.close();
    await store.close();
  };
  const says = async (asked: string, answered: string): Promise<void> => {
    const client = says.client;
    client.send(asked);
    expect(await client.receive(answered.length)).toBe(answered);
  };
  says.client = connect();
  return { says, broker };
}

test('messages, flags and order; open reads are back in their places; what was closed stays away', async () => {
  let { says } = await start();
  const bodies = ['a', 'b', 'c', 'd', 'e'];
  await says(bodies.map((body, index) => set('q', body, index)).join(''), stored.repeat(5));
  await says('get q/open\r\nget q/open\r\n', hit('q/open', 'a', 0) + hit('q/open', 'b', 1));
  await says('get q/close\r\n', miss);
  await says('get q/open\r\n', hit('q/open', 'c', 2));
  await stop();
  ({ says } = await start());
  for (const [index, body] of ['b', 'c', 'd', 'e'].entries())
    await says('get q\r\n', hit('q', body, index + 1));
  await says('get q\r\n', miss);
});

test('children, cursors and expiry go on where they were', async () => {
  let { says } = await start();
  await says('get q+child\r\n', miss);
  await says(set('q', 'a') + set('q', 'b') + set('q', 'gone', 0, -1), stored.repeat(3));
  await says('get q/cursor=c\r\n', hit('q/cursor=c', 'a'));
  await says('get q/cursor=c/open\r\n', hit('q/cursor=c/open', 'b'));
  await stop();
  ({ says } = await start());
  await says('get q/cursor=c\r\n', hit('q/cursor=c', 'b'));
  await says('get q/cursor=c\r\n', miss);
  await says(set('q', 'd'), stored);
  await says(
    'get q+child\r\nget q+child\r\nget q+child\r\n',
    ['a', 'b', 'd'].map((body) => hit('q+child', body)).join(''),
  );
  await says(
    'get q\r\nget q\r\nget q\r\nget q\r\n',
    ['a', 'b', 'd'].map((body) => hit('q', body)).join('') + miss,
  );
});

test('deleted and flushed queues stay so, moved messages are where they were moved', async () => {
  const options = { configuration: { queues: { e: { expireToQueue: 'dead' } } } };
  let { says } = await start(options);
  await says(set('p', 'x') + set('q', 'y') + set('e', 'z', 9, -1), stored.repeat(3));
  await says('delete p\r\n', 'DELETED\r\n');
  await says('flush q\r\n', 'END\r\n');
  await says('get e\r\n', miss);
  await stop();
  const again = await start(options);
  ({ says } = again);
  expect([...again.broker.registry.queues.keys()].sort()).toEqual(['dead', 'e', 'q']);
  await says('get q\r\nget e\r\n', miss + miss);
  await says('get dead\r\n', hit('dead', 'z', 9));
});

test('queues that are not persistent are gone', async () => {
  const options = { configuration: { queues: { m: { persistent: false } } } };
  let { says } = await start(options);
  await says(set('m', 'x') + set('q', 'y'), stored.repeat(2));
  await stop();
  const again = await start(options);
  ({ says } = again);
  expect([...again.broker.registry.queues.keys()]).toEqual(['q']);
  await says('get m\r\nget q\r\n', miss + hit('q', 'y'));
});
