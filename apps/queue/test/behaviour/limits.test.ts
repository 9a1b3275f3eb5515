import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { SlowStore } from '../slow-store.ts';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

const full = 'SERVER_ERROR out of memory storing object\r\n';
const tooLarge = 'SERVER_ERROR object too large for cache\r\n';

test('max_items refuses what is over it, open messages counted', async () => {
  const client = server({ configuration: { queues: { q: { maxItems: 2 } } } }).connect();
  await fill(client, 'q', 'a', 'b');
  await says(client, [
    [set('q', 'c'), full],
    ['get q/open\r\n', hit('q/open', 'a')],
    [set('q', 'c'), full],
    ['get q/close\r\n', miss],
    [set('q', 'c'), stored],
  ]);
  expect(await drain(client, 'q')).toEqual(['b', 'c']);
});

test('max_bytes refuses what is over it', async () => {
  const client = server({ configuration: { queues: { q: { maxBytes: 5 } } } }).connect();
  await fill(client, 'q', 'aaa');
  await says(client, [
    [set('q', 'bbb'), full],
    [set('q', 'bb'), stored],
    [set('q', ''), stored],
    [set('q', 'x'), full],
  ]);
});

test('max_item_bytes refuses always', async () => {
  const client = server({
    configuration: { queues: { q: { maxItemBytes: 2, discardOldest: true } } },
  }).connect();
  await says(client, [
    [set('q', 'aaa'), tooLarge],
    [set('q', 'aa'), stored],
  ]);
});

test('the server’s largest body', async () => {
  const client = server({ maxBodyBytes: 10 }).connect();
  await says(client, [
    [set('q', 'x'.repeat(11)), tooLarge],
    [set('q', 'x'.repeat(10)), stored],
  ]);
});

test('max_queues refuses new ones and serves the rest', async () => {
  const client = server({ maxQueues: 1 }).connect();
  await fill(client, 'q', 'a');
  expect(await client.ask(set('p', 'a'))).toMatch(/^SERVER_ERROR .*max_queues\)\r\n$/);
  expect(await client.ask('get p+child\r\n')).toMatch(/^SERVER_ERROR .*max_queues\)\r\n$/);
  expect(await client.ask('get p/t=10\r\n')).toMatch(/^SERVER_ERROR .*max_queues\)\r\n$/);
  await fill(client, 'q', 'b');
});

test('max_children refuses one child too many, and the parent goes on', async () => {
  const client = server().connect();
  for (let number = 0; number < 100; number += 1) expect(await client.ask(`get q+${number}\r\n`)).toBe(miss);
  expect(await client.ask('get q+100\r\n')).toMatch(/^SERVER_ERROR .*max_children\)\r\n$/);
  await fill(client, 'q', 'a');
  expect(await drain(client, 'q+99')).toEqual(['a']);
});

test('a message whose copies the store can’t take at a time is too large, and no copy is kept', async () => {
  const client = server({ store: Object.assign(new MemoryStore(), { maxChangeBytes: 1000 }) }).connect();
  await says(client, [
    [set('a+b+c', 'x'.repeat(300)), tooLarge],
    ['get a b c\r\n', miss],
    [set('a+b', 'x'.repeat(300)), stored],
  ]);
});

describe('discard_oldest', () => {
  /** A full queue that nobody has used for a while. */
  async function threeInStoreOnly() {
    const { connect, advance, broker } = server({
      configuration: { queues: { q: { maxItems: 3, discardOldest: true } } },
    });
    const client = connect();
    await fill(client, 'q', 'a', 'b', 'c');
    await advance(10_000);
    const queue = broker.registry.queues.get('q')!;
    expect(queue.reader.windowSize).toBe(0);
    return { client, queue };
  }

  test('drops the oldest instead of refusing the newest', async () => {
    const { connect, broker } = server({
      configuration: { queues: { q: { maxItems: 2, discardOldest: true } } },
    });
    const client = connect();
    await fill(client, 'q', 'a', 'b', 'c', 'd');
    expect(broker.registry.queues.get('q')?.discardedTotal).toBe(2);
    expect(await drain(client, 'q')).toEqual(['c', 'd']);
  });

  test('by bytes drops as many as it takes', async () => {
    const client = server({
      configuration: { queues: { q: { maxBytes: 4, discardOldest: true } } },
    }).connect();
    await fill(client, 'q', 'a', 'b', 'c', 'ddd');
    expect(await drain(client, 'q')).toEqual(['c', 'ddd']);
  });

  test('refuses what can never fit, and drops nothing for it', async () => {
    const client = server({
      configuration: { queues: { q: { maxBytes: 4, discardOldest: true } } },
    }).connect();
    await fill(client, 'q', 'a');
    expect(await client.ask(set('q', 'xxxxx'))).toBe(full);
    expect(await drain(client, 'q')).toEqual(['a']);
  });

  test('drops nothing that is open, and never the newest', async () => {
    const client = server({
      configuration: { queues: { q: { maxBytes: 10, discardOldest: true } } },
    }).connect();
    await fill(client, 'q', 'aaaaaaaa', 'b');
    await client.ask('get q/open\r\n');
    await fill(client, 'q', 'ccccc');
    expect(await drain(client, 'q')).toEqual(['ccccc']);
    await client.ask('get q/abort\r\n');
    expect(await drain(client, 'q')).toEqual(['aaaaaaaa']);
  });

  test('makes room for delayed messages too, and with nothing but these refuses', async () => {
    const { connect, broker } = server({
      configuration: { queues: { q: { maxItems: 2, discardOldest: true } } },
    });
    const client = connect();
    await fill(client, 'q', 'a', 'b');
    await says(client, [
      [set('q/delay=1000', 'c'), stored],
      ['get q/peek\r\n', hit('q/peek', 'b')],
      [set('q/delay=1000', 'd'), stored],
      [set('q/delay=1000', 'e'), full],
      [set('q', 'f'), full],
    ]);
    expect(broker.registry.queues.get('q')?.items).toBe(2);
    expect(broker.registry.queues.get('q')?.discardedTotal).toBe(2);
  });

  test('makes room for delayed messages where what is ready is in the store only', async () => {
    const { client, queue } = await threeInStoreOnly();
    await client.ask(set('q/delay=100000', 'd').repeat(20));
    expect(queue.items).toBe(3);
    expect(queue.delayedItems).toBe(3);
  });

  test('with all of it open refuses', async () => {
    const client = server({
      configuration: { queues: { q: { maxItems: 1, discardOldest: true } } },
    }).connect();
    await fill(client, 'q', 'a');
    await says(client, [
      ['get q/open\r\n', hit('q/open', 'a')],
      [set('q', 'b'), full],
    ]);
  });

  test('holds for a queue whose messages are in the store only', async () => {
    const { client, queue } = await threeInStoreOnly();
    await fill(client, 'q', 'd', 'e', 'f', 'g');
    expect(queue.items).toBe(3);
    expect(await drain(client, 'q')).toEqual(['e', 'f', 'g']);
  });

  test('of a child doesn’t touch its parent', async () => {
    const client = server({
      configuration: { queues: { 'q+a': { maxItems: 1, discardOldest: true } } },
    }).connect();
    await client.ask('get q+a\r\n');
    await fill(client, 'q', '1', '2', '3');
    expect(await drain(client, 'q+a')).toEqual(['3']);
    expect(await drain(client, 'q')).toEqual(['1', '2', '3']);
  });
});

describe('delete_when_idle', () => {
  const options = { configuration: { queues: { q: { deleteWhenIdleMs: 3000 } } } };
  test('removes a queue that is empty and unused for so long', async () => {
    const { connect, advance, broker } = server(options);
    const client = connect();
    await fill(client, 'q', 'a');
    await advance(10_000);
    expect(broker.registry.queues.has('q')).toBe(true);
    await client.ask('get q\r\n');
    await advance(2900);
    expect(broker.registry.queues.has('q')).toBe(true);
    await client.ask('get q\r\n');
    await advance(2900);
    expect(broker.registry.queues.has('q')).toBe(true);
    await advance(1200);
    expect(broker.registry.queues.has('q')).toBe(false);
    expect(broker.registry.expiredTotal).toBe(1);
  });

  test('not while a message of it is open or somebody waits', async () => {
    const { connect, advance, broker } = server(options);
    const [client, waiter] = [connect(), connect()];
    await fill(client, 'q', 'a');
    await client.ask('get q/open\r\n');
    await advance(10_000);
    expect(broker.registry.queues.has('q')).toBe(true);
    await waiter.ask('get q/t=60000\r\n');
    await client.ask('get q/close\r\n');
    await advance(10_000);
    expect(broker.registry.queues.has('q')).toBe(true);
  });
});

describe('memory', () => {
  test('max_memory_bytes bounds what a queue holds; the rest comes from the store, in order', async () => {
    const { connect, broker } = server({ configuration: { queues: { q: { maxMemoryBytes: 100 } } } });
    const client = connect();
    const bodies = Array.from({ length: 50 }, (_, index) => `${index}`.padStart(20, '0'));
    await fill(client, 'q', ...bodies);
    expect(broker.registry.queues.get('q')!.reader.windowBytes).toBeLessThanOrEqual(100);
    expect(await drain(client, 'q')).toEqual(bodies);
  });

  test('all queues together hold no more than max_window_bytes of what is put', async () => {
    const { connect, broker } = server({ maxWindowBytes: 100 });
    const client = connect();
    for (const name of ['a', 'b', 'c', 'd']) await fill(client, name, 'x'.repeat(40), 'y'.repeat(40));
    expect(broker.registry.windowBudget.bodyBytes).toBeLessThanOrEqual(120);
    for (const name of ['a', 'b', 'c', 'd'])
      expect(await drain(client, name)).toEqual(['x'.repeat(40), 'y'.repeat(40)]);
    expect(broker.registry.windowBudget.bodyBytes).toBe(0);
  });

  test('the window of an unused queue goes back to the store, and comes again', async () => {
    const { connect, advance, broker } = server();
    const client = connect();
    await fill(client, 'q', 'a', 'b', 'c');
    await client.ask('get q/open\r\nget q/open\r\nget q/abort\r\nget q/close\r\n');
    await advance(10_000);
    expect(broker.registry.queues.get('q')!.reader.windowSize).toBe(0);
    expect(broker.registry.windowBudget.bodyBytes).toBe(0);
    await fill(client, 'q', 'd');
    expect(await drain(client, 'q')).toEqual(['a', 'c', 'd']);
  });

  test('a window with open reads beside it stays', async () => {
    const { connect, advance } = server();
    const client = connect();
    await fill(client, 'q', 'a', 'b');
    await client.ask('get q/open\r\n');
    await advance(10_000);
    expect(await drain(client, 'q')).toEqual(['b']);
    await client.ask('get q/abort\r\n');
    expect(await drain(client, 'q')).toEqual(['a']);
  });
});

test('a queue that is not persistent works like any other', async () => {
  const { connect, broker, store } = server({ configuration: { queues: { q: { persistent: false } } } });
  const client = connect();
  await fill(client, 'q', 'a', 'b');
  await fill(client, 'p', 'c');
  expect([...store.queues.keys()]).toEqual(['p']);
  expect([...broker.registry.queues.keys()]).toEqual(['q', 'p']);
  expect(await drain(client, 'q')).toEqual(['a', 'b']);
});

describe('when the store', () => {
  const storeError = async (code: 'store-full' | 'store-busy' | 'store-read-failed') => {
    const { StoreError } = await import('../../src/store/store.ts');
    return new StoreError(code, 'no');
  };

  test('is full, puts are refused and the rest goes on', async () => {
    const store = new SlowStore();
    const { connect } = server({ store });
    const client = connect();
    await fill(client, 'q', 'a');
    store.failures.append = await storeError('store-full');
    const refused = 'SERVER_ERROR out of disk space: reads go on, writes resume when there is room\r\n';
    await says(client, [
      [set('q', 'b'), refused],
      [set('q', 'b', 0, 0, ' noreply'), ''],
      [set('p+q', 'b'), refused],
      ['get q\r\n', hit('q', 'a')],
    ]);
    delete store.failures.append;
    await fill(client, 'q', 'c');
    expect(await drain(client, 'q')).toEqual(['c']);
  });

  test('is behind, puts are refused for the time', async () => {
    const store = new SlowStore();
    const client = server({ store }).connect();
    await fill(client, 'q', 'a');
    store.failures.append = await storeError('store-busy');
    expect(await client.ask(set('q', 'b'))).toBe('SERVER_ERROR busy: the disk is behind, try again\r\n');
  });

  test('cannot even acknowledge, a get is refused and its message stays in its place', async () => {
    const store = new SlowStore();
    const client = server({ store }).connect();
    await fill(client, 'q', 'a', 'b');
    store.failures.acknowledge = await storeError('store-full');
    expect(await client.ask('get q\r\n')).toMatch(/^SERVER_ERROR out of disk space/);
    await says(client, [['get q/open\r\n', hit('q/open', 'a')]]);
    expect(await client.ask('get q/close\r\n')).toMatch(/^SERVER_ERROR out of disk space/);
    delete store.failures.acknowledge;
    await says(client, [['get q/close\r\n', miss]]);
    expect(await drain(client, 'q')).toEqual(['b']);
  });

  test.each([
    ['get q/batch=9\r\n', hit('q/batch=9', 'a')],
    ['get q/t=1000/batch=9\r\n', hit('q/t=1000/batch=9', 'a')],
    ['mg q v B9\r\n', 'VA 1\r\na\r\nEN\r\n'],
  ])('can acknowledge no more in the middle of a batch, what was taken comes: %j', async (asked, answer) => {
    const store = new SlowStore();
    const client = server({ store }).connect();
    await fill(client, 'q', 'a', 'b');
    const failure = await storeError('store-full');
    let acknowledged = 0;
    Object.defineProperty(store.failures, 'acknowledge', {
      get: () => (acknowledged++ === 0 ? undefined : failure),
      configurable: true,
    });
    expect(await client.ask(asked)).toBe(answer);
    expect(await client.ask('get q\r\n')).toMatch(/^SERVER_ERROR out of disk space/);
    delete store.failures.acknowledge;
    expect(await drain(client, 'q')).toEqual(['b']);
  });

  test('cannot be read, whoever asked is told, and may ask again', async () => {
    const store = new SlowStore();
    const { connect, advance } = server({ store });
    const client = connect();
    await fill(client, 'q', 'a');
    await advance(10_000);
    store.failures.read = await storeError('store-read-failed');
    expect(await client.ask('get q\r\nget q/t=1000\r\n')).toBe(
      'SERVER_ERROR the message could not be read\r\n'.repeat(2),
    );
    delete store.failures.read;
    expect(await client.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('commits late, replies wait, in order', async () => {
    const store = new SlowStore({ commits: 'when told' });
    const { connect } = server({ store });
    const [client, other] = [connect(), connect()];
    expect(await client.ask(`version\r\n${set('q', 'a')}version\r\n`)).toBe('');
    // What was put may still fail, so nobody sees it; a miss waits for nothing.
    expect(await other.ask('get q/open\r\n')).toBe('');
    expect(await connect().ask('get none\r\n')).toBe(miss);
    store.commit();
    expect(await client.ask('')).toBe(`VERSION 1.2.3\r\n${stored}VERSION 1.2.3\r\n`);
    expect(await other.ask('')).toBe(hit('q/open', 'a'));
    // A close, and a plain get, promise that the message never comes again.
    expect(await other.ask('get q/close\r\n')).toBe('');
    store.commit();
    expect(await other.ask('')).toBe(miss);
  });

  test('is congested, requests are left unread until it has caught up', async () => {
    const store = new SlowStore({ commits: 'when told' });
    const { connect } = server({ store });
    const client = connect();
    store.congested = true;
    expect(await client.ask(set('q', 'a'))).toBe('');
    expect(store.position).toBe(0);
    store.commit();
    await client.ask('');
    expect(store.position).toBeGreaterThan(0);
    store.commit();
    expect(await client.ask('')).toBe(stored);
  });
});
