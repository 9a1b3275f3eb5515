import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/store/store.ts';
import { SlowStore } from '../slow-store.ts';
import { drain, fill, hit, miss, says, server, set, stored } from './support.ts';

test('max_age caps the client’s expiry, and is the default', async () => {
  const { connect, jump } = server({ configuration: { queues: { q: { maxAgeMs: 1000 } } } });
  const client = connect();
  await says(client, [
    [set('q', 'a', 0, 100), stored],
    [set('q', 'b', 0, 0), stored],
  ]);
  jump(999);
  expect(await client.ask('get q/peek\r\n')).toBe(hit('q/peek', 'a'));
  jump(1);
  expect(await client.ask('get q\r\n')).toBe(miss);
});

test('an expired message is not delivered by an open read, a peek or a wait', async () => {
  const { connect, jump } = server();
  const client = connect();
  await says(client, [
    [set('q', 'a', 0, 1), stored],
    [set('q', 'b', 0, 1), stored],
    [set('q', 'c', 0, 1), stored],
  ]);
  jump(1000);
  await says(client, [
    ['get q/open\r\n', miss],
    ['get q/peek\r\n', miss],
    ['get q/t=0\r\n', miss],
  ]);
});

test('what expired while it was open does not come back', async () => {
  const { connect, jump } = server();
  const client = connect();
  await says(client, [
    [set('q', 'a', 0, 1), stored],
    ['get q/open\r\n', hit('q/open', 'a')],
  ]);
  jump(1000);
  await says(client, [
    ['get q/abort\r\n', miss],
    ['get q\r\n', miss],
  ]);
});

test('a sweep takes what nobody reads, within a second', async () => {
  const { connect, advance, broker } = server();
  const client = connect();
  await says(client, [[set('q', 'a', 0, 1), stored]]);
  await advance(2100);
  expect(broker.registry.queues.get('q')?.items).toBe(0);
});

test('also when it has long left memory', async () => {
  const { connect, advance, broker } = server();
  const client = connect();
  const put = set('q', 'a', 0, 60);
  expect(await client.ask(put.repeat(3000))).toBe(stored.repeat(3000));
  await advance(30_000);
  const queue = broker.registry.queues.get('q')!;
  expect([queue.items, queue.reader.windowSize]).toEqual([3000, 0]);
  await advance(40_000);
  expect([queue.items, queue.expiredTotal]).toEqual([0, 3000]);
});

test('a backlog that does not expire is not read again and again', async () => {
  const store = new SlowStore();
  const { connect, advance } = server({ store });
  const client = connect();
  await fill(client, 'q', 'a', 'b', 'c');
  await says(client, [[set('p', 'x', 0, 3600), stored]]);
  await advance(60_000);
  expect(store.reads).toBe(0);
});

describe('expire_to_queue', () => {
  const options = { configuration: { queues: { q: { expireToQueue: 'dead' } } } };

  test('moves what expired, with its flags, whether somebody reads or not', async () => {
    const { connect, advance, jump } = server(options);
    const client = connect();
    await says(client, [[set('q', 'a', 5, 1), stored]]);
    await advance(2100);
    expect(await client.ask('get dead\r\n')).toBe(hit('dead', 'a', 5));
    await says(client, [[set('q', 'b', 6, 1), stored]]);
    jump(1000);
    await says(client, [
      ['get q\r\n', miss],
      ['get dead\r\n', hit('dead', 'b', 6)],
    ]);
  });

  test('moves also what was long unread, and what was found at the start', async () => {
    const { connect, advance, store } = server(options);
    const client = connect();
    await client.ask(set('q', 'a', 0, 600) + set('q', 'b', 0, 600));
    await advance(700_000);
    expect(await drain(client, 'dead')).toEqual(['a', 'b']);

    await client.ask(set('q', 'c', 0, 1) + set('q', 'd', 0, 1));
    const restarted = server({ ...options, store });
    restarted.jump(702_000);
    await restarted.advance(5000);
    expect(await drain(restarted.connect(), 'dead')).toEqual(['c', 'd']);
  });

  test('wakes who waits there', async () => {
    const { connect, advance } = server(options);
    const [client, waiter] = [connect(), connect()];
    await waiter.ask('get dead/t=60000\r\n');
    await client.ask(set('q', 'a', 0, 1));
    await advance(2100);
    expect(await waiter.ask('')).toBe(hit('dead/t=60000', 'a'));
  });

  test('the limits of the target refuse nothing: what expired is never lost', async () => {
    const { connect, advance } = server({
      configuration: { queues: { q: { expireToQueue: 'dead' }, dead: { maxItems: 1 } } },
    });
    const client = connect();
    await client.ask(set('q', 'a', 0, 1) + set('q', 'b', 0, 1));
    await advance(2100);
    expect(await drain(client, 'dead')).toEqual(['a', 'b']);
  });

  test('a target that discards its oldest does so', async () => {
    const { connect, advance } = server({
      configuration: { queues: { q: { expireToQueue: 'dead' }, dead: { maxItems: 1, discardOldest: true } } },
    });
    const client = connect();
    await client.ask(set('q', 'a', 0, 1) + set('q', 'b', 0, 1));
    await advance(2100);
    expect(await drain(client, 'dead')).toEqual(['b']);
  });

  test('a queue can’t expire to itself', async () => {
    const { connect, advance } = server({ configuration: { queues: { q: { expireToQueue: 'q' } } } });
    const client = connect();
    await client.ask(set('q', 'a', 0, 1));
    await advance(2100);
    expect(await drain(client, 'q')).toEqual([]);
  });

  test('two queues that expire to each other pass a message on and on', async () => {
    const { connect, advance, broker } = server({
      configuration: {
        queues: { a: { expireToQueue: 'b', maxAgeMs: 2000 }, b: { expireToQueue: 'a', maxAgeMs: 2000 } },
      },
    });
    const client = connect();
    await fill(client, 'a', 'x');
    await advance(60_000);
    const items = ['a', 'b'].map((name) => broker.registry.queues.get(name)!.items);
    expect(items[0]! + items[1]!).toBe(1);
  });

  test('what can’t be moved now is neither lost nor delivered, and moved when it can be', async () => {
    const store = new SlowStore();
    const { connect, advance } = server({ ...options, store });
    const client = connect();
    await client.ask(set('q', 'a', 0, 1) + set('q', 'b', 0, 1) + set('q', 'c'));
    store.failures.append = new StoreError('store-full', 'no');
    await advance(20_000);
    expect(await client.ask('get q/peek\r\n')).toBe(hit('q/peek', 'c'));
    delete store.failures.append;
    await advance(1100);
    expect(await drain(client, 'dead')).toEqual(['a', 'b']);
    expect(await drain(client, 'q')).toEqual(['c']);
  });

  test('what can’t be moved and then, by a reload, has not expired after all, is delivered', async () => {
    const store = new SlowStore();
    const made = server({
      store,
      configuration: { queues: { q: { expireToQueue: 'dead', maxAgeMs: 1000 } } },
    });
    const client = made.connect();
    await fill(client, 'q', 'a');
    store.failures.append = new StoreError('store-full', 'no');
    await made.advance(3000);
    made.broker.reconfigure({ defaults: {}, queues: {}, aliases: {} });
    await made.advance(1100);
    expect(await client.ask('get q\r\n')).toBe(hit('q', 'a'));
  });

  test('so many that can’t be moved fill no memory: reads are refused', async () => {
    const store = new SlowStore();
    const { connect, jump } = server({ ...options, store });
    const client = connect();
    await client.ask(set('q', 'a', 0, 1).repeat(1500));
    store.failures.append = new StoreError('store-full', 'no');
    jump(1000);
    expect(await client.ask('get q\r\n')).toMatch(/^SERVER_ERROR out of disk space/);
    delete store.failures.append;
    expect(await client.ask('flush_expired q\r\n')).toBe('1500\r\n');
    expect((await drain(client, 'dead')).length).toBe(1500);
  });
});
