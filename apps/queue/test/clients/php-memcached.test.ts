import { beforeAll, describe, expect, it } from 'vitest';
import {
  describeClient,
  everyByte,
  megabyte,
  numericVersion,
  reliableReads,
  runScript,
  sha256,
  sharedQueue,
  someStats,
  whyUnusable,
} from './clients.ts';

const whyNot = whyUnusable('php-memcached, with the package php-cli,', '/usr/bin/php', [
  '-r',
  'new Memcached();',
]);

describeClient('PHP’s memcached', whyNot, () => {
  const queue = sharedQueue();

  describe.each(['text', 'binary'])('over the %s protocol', (wire) => {
    let seen: Record<string, unknown> = {};

    beforeAll(async () => {
      const address = [queue.host, String(queue.port)];
      seen = await runScript('/usr/bin/php', 'php_memcached_client.php', [...address, wire]);
    });

    it('puts a message and gets it once', () => {
      expect(seen).toMatchObject({
        set: true,
        get: 'hello',
        again: false,
        missing: [false, 'NOT FOUND'],
      });
    });

    it('gets messages in order, also those that were put together or without waiting for answers', () => {
      expect(seen).toMatchObject({ order: true, buffered: true, noreply: true });
    });

    it('gets values back in the types that their flags tell', () => {
      expect(Object.entries(seen.typed as object).filter(([, same]) => !same)).toEqual([]);
      expect(Object.keys(seen.typed as object)).toHaveLength(11);
      expect(seen).toMatchObject({
        json: true,
        compressed: { fastlz: true, zlib: true },
        extended: ['value', 12345, true],
      });
    });

    it('gets every byte back, an empty body, and a megabyte', () => {
      expect(seen).toMatchObject({
        bytes: everyByte.toString('base64'),
        empty_set: true,
        empty: '',
        megabyte_set: true,
        megabyte: sha256(megabyte),
      });
    });

    it('puts into several queues, and gets one message of each', () => {
      expect(seen.multi).toEqual(
        Object.fromEntries([0, 1, 2, 3, 4].map((number) => [`multi-${number}`, `value ${number}`])),
      );
      expect(seen).toMatchObject({ multi_set: true, delayed: true });
    });

    it('deletes queues', () => {
      expect(seen).toMatchObject({ delete_missing: [false, 'NOT FOUND'], delete: true, deleted: false });
    });

    it('has add for an empty queue, and is told what is not there', () => {
      expect(seen).toMatchObject({
        add: [true, false, wire === 'text' ? 'NOT STORED' : 'CONNECTION DATA EXISTS'],
        added: 1,
        replace_missing: false,
        increment_missing: false,
        touch_missing: false,
      });
    });

    it('reads reliably by the options in a key', () => {
      expect(seen.reliable).toEqual(reliableReads(false));
    });

    it('asks for the version and the statistics, and flushes', () => {
      expect(seen).toMatchObject({
        version: expect.stringMatching(numericVersion),
        stats: someStats,
        flush: [true, false],
      });
    });
  });
});
