import { beforeAll, describe, expect, it } from 'vitest';
import {
  debianPython,
  describeClient,
  everyByte,
  megabyte,
  reliableReads,
  runScript,
  sha256,
  sharedQueue,
  someStats,
  whyUnusable,
} from './clients.ts';

const whyNot = whyUnusable('python3-pylibmc', debianPython, ['-c', 'import pylibmc']);

describeClient('pylibmc', whyNot, () => {
  const queue = sharedQueue();

  describe.each(['text', 'binary'])('over the %s protocol', (wire) => {
    let seen: Record<string, unknown> = {};

    beforeAll(async () => {
      seen = await runScript(debianPython, 'pylibmc_client.py', [queue.host, String(queue.port), wire]);
    });

    it('puts a message and gets it once', () => {
      expect(seen).toMatchObject({ set: true, get: 'hello', again: null, missing: null });
    });

    it('gets messages in order, also those that were put without waiting for answers', () => {
      expect(seen).toMatchObject({ order: true, noreply: true });
    });

    it('gets values back in the types that their flags tell', () => {
      expect(Object.entries(seen.typed as object).filter(([, same]) => !same)).toEqual([]);
      expect(Object.keys(seen.typed as object)).toHaveLength(9);
      expect(seen).toMatchObject({ compressed_set: true, compressed: true });
    });

    it('gets every byte back, an empty body, and a megabyte', () => {
      expect(seen).toMatchObject({
        bytes: everyByte.toString('base64'),
        empty_set: true,
        empty: true,
        megabyte_set: true,
        megabyte: sha256(megabyte),
      });
    });

    it('gets one message of each of several queues', () => {
      expect(seen.multi).toEqual({
        failed: [],
        got: { 'multi-0': 0, 'multi-1': 1, 'multi-2': 2, 'multi-3': 3, 'multi-4': 4 },
      });
      expect(seen.prefixed).toEqual({ 0: 'value 0', 1: 'value 1' });
    });

    it('gets a number with gets', () => {
      expect(seen).toMatchObject({ gets: { value: 'value', numeric: true } });
    });

    it('deletes queues', () => {
      expect(seen).toMatchObject({ delete_missing: false, delete: true, deleted: null });
    });

    it('has add for an empty queue, and is told what is not there', () => {
      expect(seen).toMatchObject({ add: [true, false], added: 1, incr: 'not found', touch_missing: false });
    });

    it('reads reliably by the options in a key', () => {
      expect(seen.reliable).toEqual(reliableReads(null));
    });

    it('asks for the statistics, and flushes', () => {
      expect(seen).toMatchObject({ stats: someStats, flush: [true, null] });
    });
  });
});
