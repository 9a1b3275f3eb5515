import { gunzipSync, gzipSync } from 'node:zlib';
import memjs from 'memjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyByte, megabyte, reliableReads, sharedQueue, someStats } from './clients.ts';

describe('npm’s memjs, which speaks binary only', () => {
  const queue = sharedQueue();
  let client: memjs.Client;

  beforeAll(() => {
    client = memjs.Client.create(queue.address, {
      timeout: 10,
      // What it is refused it prints by itself.
      logger: { log: () => undefined },
    } as memjs.ClientOptions);
  });
  afterAll(() => client.quit());

  async function get(key: string): Promise<string | null> {
    return (await client.get(key)).value?.toString() ?? null;
  }

  it('puts a message and gets it once', async () => {
    expect(await client.set('plain', 'hello', {})).toBe(true);
    expect(await get('plain')).toBe('hello');
    expect(await get('plain')).toBeNull();
    expect(await get('missing')).toBeNull();
  });

  it('gets messages in order, also when many requests are on the way at once', async () => {
    for (let number = 0; number < 50; number += 1) await client.set('order', `job ${number}`, {});
    const got = await Promise.all(Array.from({ length: 50 }, () => get('order')));
    expect(got).toEqual(Array.from({ length: 50 }, (_, number) => `job ${number}`));
  });

  it('gets every byte back, an empty body, and a megabyte', async () => {
    for (const body of [everyByte, Buffer.alloc(0), megabyte, Buffer.from('Grüße, 世界 🚀')]) {
      await client.set('bytes', body, {});
      expect((await client.get('bytes')).value?.equals(body)).toBe(true);
    }
  });

  it('gets the flags of its serializer back', async () => {
    const json = 2;
    const zipped = 16;
    const typed = memjs.Client.create<unknown, unknown>(queue.address, {
      // By itself it asks again after half a second, and what was put is there twice.
      timeout: 10,
      serializer: {
        serialize(_opcode, value, extras) {
          const text = JSON.stringify(value);
          extras.writeUInt32BE(text.length > 1000 ? json | zipped : json, 0);
          return { value: text.length > 1000 ? gzipSync(text) : text, extras };
        },
        deserialize(_opcode, value, extras) {
          if (value === null || extras.length === 0) return { value, extras };
          const flags = extras.readUInt32BE(0);
          expect(flags & json).toBe(json);
          const text = flags & zipped ? gunzipSync(value).toString() : value.toString();
          return { value: JSON.parse(text), extras };
        },
      },
    });
    const values = [42, -7, 1.5, true, null, 'Grüße', { deep: { er: [1, 'two'] } }, Array(1000).fill('long')];
    for (const value of values) await typed.set('typed', value, {});
    for (const value of values) expect((await typed.get('typed')).value).toEqual(value);
    typed.close();
  });

  it('deletes queues', async () => {
    await client.set('deleted', '1', {});
    await client.set('deleted', '2', {});
    expect(await client.delete('deleted')).toBe(true);
    expect(await get('deleted')).toBeNull();
    expect(await client.delete('missing')).toBe(false);
  });

  it('has add for an empty queue, and is told what a queue can’t do', async () => {
    expect(await client.add('added', '1', {})).toBe(true);
    expect(await client.add('added', '2', {})).toBe(false);
    expect(await client.replace('missing', '1', {})).toBe(false);
    await expect(client.append('added', 'x')).rejects.toThrow('not stored');
    expect(await client.touch('missing', 10)).toBe(false);
    expect(await get('added')).toBe('1');
  });

  it('reads reliably by the options in a key', async () => {
    for (let number = 0; number < 3; number += 1) await client.set('reliable', `job ${number}`, {});
    expect({
      opened: await get('reliable/open'),
      next: await get('reliable/close/open'),
      aborted: await get('reliable/abort'),
      again: await get('reliable/open'),
      closed: await get('reliable/close'),
      peeked: await get('reliable/peek'),
      waited: await get('reliable/t=100'),
      timed_out: await get('reliable/t=100'),
    }).toEqual(reliableReads(null));
  });

  it('sees no message that has expired, and none after a flush', async () => {
    await client.set('expiring', 'x', { expires: 1 });
    await client.set('expiring', 'y', {});
    await expect.poll(() => get('expiring/peek'), { timeout: 30_000 }).toBe('y');
    expect(Object.values(await client.flush())).toEqual([true]);
    expect(await get('expiring')).toBeNull();
  });

  it('asks for the statistics', async () => {
    const stats = await new Promise<Record<string, string>>((resolve, reject) => {
      client.stats((error, _server, found) => (found === null ? reject(error) : resolve(found)));
    });
    expect({ ...stats, total_items: Number(stats.total_items) }).toMatchObject(someStats);
  });
});
