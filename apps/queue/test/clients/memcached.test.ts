import { promisify } from 'node:util';
import Memcached from 'memcached';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyByte, megabyte, numericVersion, reliableReads, sharedQueue, someStats } from './clients.ts';

describe('npm’s memcached', () => {
  const queue = sharedQueue();
  let client: Memcached;

  beforeAll(() => {
    // It counts a body's bytes as UTF-8 would write them, and by default refuses more than a megabyte of those.
    client = new Memcached(queue.address, { poolSize: 1, timeout: 10_000, maxValue: 2 * 1024 * 1024 });
  });
  afterAll(() => client.end());

  const set = (key: string, value: unknown): Promise<boolean> =>
    new Promise((resolve, reject) => {
      client.set(key, value, 0, (error, stored) => (error ? reject(error) : resolve(stored)));
    });
  const get = (key: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      client.get(key, (error, value) => (error ? reject(error) : resolve(value)));
    });

  it('puts a message and gets it once', async () => {
    expect(await set('plain', 'hello')).toBe(true);
    expect(await get('plain')).toBe('hello');
    expect(await get('plain')).toBeUndefined();
    expect(await get('missing')).toBeUndefined();
  });

  it('gets messages in order, also when many requests are on the way at once', async () => {
    for (let number = 0; number < 50; number += 1) await set('order', number);
    const got = await Promise.all(Array.from({ length: 50 }, () => get('order')));
    expect(got).toEqual(Array.from({ length: 50 }, (_, number) => number));
  });

  it('gets values back in the types that their flags tell', async () => {
    const values = [
      'plain',
      'Grüße, 世界 🚀',
      42,
      -7,
      1.5,
      true,
      null,
      [1, 'two', null],
      { deep: { er: [true] } },
    ];
    for (const value of values) {
      await set('typed', value);
      expect(await get('typed')).toStrictEqual(value);
    }
  });

  it('gets every byte back, an empty body, and a megabyte', async () => {
    for (const body of [everyByte, megabyte]) {
      await set('bytes', body);
      expect(body.equals((await get('bytes')) as Buffer)).toBe(true);
    }
    await set('empty', '');
    expect(await get('empty')).toBe('');
    expect(await get('empty')).toBeUndefined();
  });

  it('gets one message of each of several queues', async () => {
    for (let number = 0; number < 5; number += 1) await set(`multi-${number}`, { number });
    const getMulti = promisify(client.getMulti.bind(client)) as (keys: string[]) => Promise<unknown>;
    expect(await getMulti([0, 1, 2, 3, 4, 5].map((number) => `multi-${number}`))).toEqual(
      Object.fromEntries([0, 1, 2, 3, 4].map((number) => [`multi-${number}`, { number }])),
    );
  });

  it('gets a number with gets', async () => {
    await set('numbered', 'value');
    const gets = promisify(client.gets.bind(client)) as (key: string) => Promise<unknown>;
    expect(await gets('numbered')).toEqual({ numbered: 'value', cas: expect.stringMatching(/^\d+$/) });
  });

  it('deletes queues', async () => {
    const del = promisify(client.del.bind(client)) as (key: string) => Promise<boolean>;
    await set('deleted', 1);
    await set('deleted', 2);
    expect(await del('deleted')).toBe(true);
    expect(await get('deleted')).toBeUndefined();
    expect(await del('missing')).toBe(false);
  });

  it('has add for an empty queue, and is told what a queue can’t do', async () => {
    const add = promisify(client.add.bind(client)) as (
      key: string,
      value: unknown,
      lifetime: number,
    ) => Promise<boolean>;
    const append = promisify(client.append.bind(client)) as (key: string, value: string) => Promise<boolean>;
    const increment = promisify(client.incr.bind(client)) as (key: string, by: number) => Promise<unknown>;
    const touch = promisify(client.touch.bind(client)) as (key: string, lifetime: number) => Promise<unknown>;
    expect(await add('added', 1, 0)).toBe(true);
    await expect(add('added', 2, 0)).rejects.toThrow('not stored');
    await expect(append('added', 'x')).rejects.toThrow('not stored');
    expect(await increment('missing', 1)).toBe(false);
    expect(await touch('missing', 10)).toBe(false);
    expect(await get('added')).toBe(1);
  });

  it('reads reliably by the options in a key', async () => {
    for (let number = 0; number < 3; number += 1) await set('reliable', `job ${number}`);
    expect({
      opened: await get('reliable/open'),
      next: await get('reliable/close/open'),
      aborted: await get('reliable/abort'),
      again: await get('reliable/open'),
      closed: await get('reliable/close'),
      peeked: await get('reliable/peek'),
      waited: await get('reliable/t=100'),
      timed_out: await get('reliable/t=100'),
    }).toEqual(reliableReads(undefined));
  });

  it('asks for the version and the statistics, and flushes', async () => {
    const version = promisify(client.version.bind(client)) as () => Promise<Memcached.VersionData[]>;
    const stats = promisify(client.stats.bind(client)) as () => Promise<Memcached.StatusData[]>;
    const flush = promisify(client.flush.bind(client)) as () => Promise<boolean[]>;
    expect((await version())[0]!.version).toMatch(numericVersion);
    expect((await stats())[0]).toMatchObject(someStats);
    await set('flushed', 1);
    expect(await flush()).toEqual([true]);
    expect(await get('flushed')).toBeUndefined();
  });
});
