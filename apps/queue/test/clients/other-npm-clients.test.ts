import { Memcache } from 'memcache';
import MemcachePlus from 'memcache-plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numericVersion, reliableReads, sharedQueue, someStats } from './clients.ts';

describe('npm’s memcache', () => {
  const queue = sharedQueue();
  let client: Memcache;

  beforeAll(() => {
    client = new Memcache({ nodes: [queue.address], timeout: 10_000 });
  });
  afterAll(() => client.disconnect());

  it('puts a message and gets it once', async () => {
    expect(await client.set('plain', 'hello')).toBe(true);
    expect(await client.get('plain')).toBe('hello');
    expect(await client.get('plain')).toBeUndefined();
  });

  it('gets messages in order, also when many requests are on the way at once', async () => {
    const numbers = Array.from({ length: 200 }, (_, number) => String(number));
    await Promise.all(numbers.map((number) => client.set('order', number)));
    expect(await Promise.all(numbers.map(() => client.get('order')))).toEqual(numbers);
  });

  it('gets text of any kind back, an empty one, and a megabyte', async () => {
    for (const text of ['Grüße, 世界 🚀', 'END\r\nVALUE x 0 1\r\n', '', 'x'.repeat(1024 * 1024)]) {
      await client.set('text', text);
      expect((await client.get('text')) === text).toBe(true);
    }
  });

  it('gets one message of each of several queues', async () => {
    await client.set('multi-0', 'zero');
    await client.set('multi-1', 'one');
    const found = await client.gets(['multi-0', 'multi-1', 'multi-2']);
    expect(Object.fromEntries(found)).toEqual({ 'multi-0': 'zero', 'multi-1': 'one' });
  });

  it('deletes queues, and flushes', async () => {
    await client.set('deleted', 'x');
    expect(await client.delete('deleted')).toBe(true);
    expect(await client.get('deleted')).toBeUndefined();
    expect(await client.delete('missing')).toBe(false);
    await client.set('flushed', 'x');
    expect(await client.flush()).toBe(true);
    expect(await client.get('flushed')).toBeUndefined();
  });

  it('asks for the version and the statistics', async () => {
    const [version] = (await client.version()).values();
    expect(version?.replace('VERSION ', '')).toMatch(numericVersion);
    const stats = [...(await client.stats()).values()][0]!;
    expect({ ...stats, total_items: Number(stats.total_items) }).toMatchObject(someStats);
  });

  it('reads reliably by the options in a key', async () => {
    for (let number = 0; number < 3; number += 1) await client.set('reliable', `job ${number}`);
    expect({
      opened: await client.get('reliable/open'),
      next: await client.get('reliable/close/open'),
      aborted: await client.get('reliable/abort'),
      again: await client.get('reliable/open'),
      closed: await client.get('reliable/close'),
      peeked: await client.get('reliable/peek'),
      waited: await client.get('reliable/t=100'),
      timed_out: await client.get('reliable/t=100'),
    }).toEqual(reliableReads(undefined));
  });
});

describe('npm’s memcache-plus', () => {
  const queue = sharedQueue();
  let client: MemcachePlus;

  beforeAll(() => {
    client = new MemcachePlus({ hosts: [queue.address], netTimeout: 10_000 });
  });
  afterAll(() => client.disconnect());

  it('puts messages and gets them once, in order', async () => {
    expect(await client.get('missing')).toBeNull();
    for (let number = 0; number < 50; number += 1) await client.set('order', number);
    for (let number = 0; number < 50; number += 1) expect(await client.get('order')).toBe(number);
    expect(await client.get('order')).toBeNull();
  });

  it('gets values back in the types that their flags tell', async () => {
    for (const value of ['plain', 42, 1.5, { deep: { er: [true] } }, [1, 'two']]) {
      await client.set('typed', value);
      expect(await client.get('typed')).toStrictEqual(value);
    }
    const large = 'compressible '.repeat(20_000);
    await client.set('compressed', large, { compressed: true });
    expect(await client.get('compressed', { compressed: true })).toBe(large);
  });

  it('gets one message of each of several queues', async () => {
    await client.set('multi-0', 'zero');
    await client.set('multi-1', 'one');
    expect(await client.getMulti(['multi-0', 'multi-1', 'multi-2'])).toEqual({
      'multi-0': 'zero',
      'multi-1': 'one',
      'multi-2': null,
    });
  });

  it('deletes queues, flushes with its “flush_all 0”, and asks for the version', async () => {
    await client.set('deleted', 'x');
    expect(await client.delete('deleted')).toBe(true);
    expect(await client.get('deleted')).toBeNull();
    await client.set('flushed', 'x');
    await client.flush();
    expect(await client.get('flushed')).toBeNull();
    expect(await client.version()).toMatch(numericVersion);
  });
});
