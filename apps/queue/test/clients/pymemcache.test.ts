import { beforeAll, expect, it } from 'vitest';
import {
  debianPython,
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

const whyNot = whyUnusable('python3-pymemcache', debianPython, ['-c', 'import pymemcache']);

describeClient('pymemcache', whyNot, () => {
  const queue = sharedQueue();
  let seen: Record<string, unknown> = {};

  beforeAll(async () => {
    seen = await runScript(debianPython, 'pymemcache_client.py', [queue.host, String(queue.port)]);
  });

  it('puts a message and gets it once', () => {
    expect(seen).toMatchObject({ set: true, get: 'hello', again: null, missing: null });
  });

  it('puts a thousand without waiting for answers, and gets them in order', () => {
    expect(seen).toMatchObject({ noreply: true });
  });

  it('gets values back in the types that their flags tell', () => {
    expect(Object.entries(seen.typed as object).filter(([, same]) => !same)).toEqual([]);
    expect(Object.keys(seen.typed as object)).toHaveLength(9);
    expect(seen).toMatchObject({ large: true });
  });

  it('gets every byte back, an empty body, lines of the protocol, and a megabyte', () => {
    expect(seen).toMatchObject({
      bytes: everyByte.toString('base64'),
      lines: '\r\nEND\r\nVALUE x 0 1\r\n',
      empty_set: true,
      empty: '',
      megabyte_set: true,
      megabyte: sha256(megabyte),
    });
  });

  it('gets one message of each of several queues', () => {
    expect(seen.many).toEqual(
      Object.fromEntries([0, 1, 2, 3, 4].map((number) => [`many-${number}`, `value ${number}`])),
    );
    expect(seen).toMatchObject({ pooled: 'x', hashed: 'x' });
  });

  it('gets a number with gets', () => {
    expect(seen).toMatchObject({ gets: { value: 'first', numeric: true }, gets_many: ['x'] });
  });

  it('deletes queues, with an answer and without', () => {
    expect(seen).toMatchObject({
      delete_missing: false,
      delete: true,
      deleted: null,
      after_noreply_delete: null,
    });
  });

  it('has add for an empty queue, and is refused what a queue can’t do', () => {
    expect(seen).toMatchObject({
      add: [true, false],
      append: false,
      cas: false,
      incr: 'MemcacheClientError',
      added: '1',
      touch_missing: false,
    });
  });

  it('reads reliably by the options in a key', () => {
    expect(seen.reliable).toEqual(reliableReads(null));
  });

  it('sees no message that has expired, and none after flush_all', () => {
    expect(seen).toMatchObject({ expired: [true, null], flush: [true, null] });
  });

  it('asks for the version and the statistics', () => {
    expect(seen).toMatchObject({ version: expect.stringMatching(numericVersion), stats: someStats });
  });
});
