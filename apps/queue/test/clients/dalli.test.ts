import { beforeAll, expect, it } from 'vitest';
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

const ruby = '/usr/bin/ruby';
// The package doesn't depend on an interpreter.
const whyNot = whyUnusable('ruby-dalli, with the package ruby,', ruby, ['-e', 'require "dalli"']);

describeClient('Ruby’s dalli', whyNot, () => {
  const queue = sharedQueue();
  let seen: Record<string, unknown> = {};

  beforeAll(async () => {
    seen = await runScript(ruby, 'dalli_client.rb', [queue.address]);
  });

  it('puts a message and gets it once', () => {
    expect(seen).toMatchObject({ alive: true, set: true, get: 'hello', again: null, missing: null });
  });

  it('gets messages in order, also those that were put quietly', () => {
    expect(seen).toMatchObject({ order: true, quiet: true });
  });

  it('gets values back in the types that their flags tell', () => {
    expect(Object.entries(seen.typed as object).filter(([, same]) => !same)).toEqual([]);
    expect(Object.keys(seen.typed as object)).toHaveLength(11);
    expect(seen).toMatchObject({ compressed: true });
  });

  it('gets every byte back, an empty body, and a megabyte', () => {
    expect(seen).toMatchObject({
      bytes: everyByte.toString('base64'),
      empty: '',
      megabyte: sha256(megabyte),
    });
  });

  it('gets one message of each of several queues, also of five hundred', () => {
    expect(seen.multi).toEqual(
      Object.fromEntries([0, 1, 2, 3, 4].map((number) => [`multi-${number}`, `value ${number}`])),
    );
    expect(seen.multi_cas).toEqual({ 'multi-0': [0, true], 'multi-1': [1, true], 'multi-2': [2, true] });
    expect(seen).toMatchObject({ multi_large: true });
  });

  it('gets a number with get_cas', () => {
    expect(seen).toMatchObject({ get_cas: ['value', true] });
  });

  it('deletes queues', () => {
    expect(seen).toMatchObject({ delete_missing: null, delete: true, deleted: null });
  });

  it('has add for an empty queue, and is refused what a queue can’t do', () => {
    expect(seen).toMatchObject({
      add: [true, false],
      added: 1,
      // This is how dalli 3.0 tells that replace found nothing.
      replace_missing: 0,
      append_missing: false,
      incr_missing: null,
      touch_missing: null,
      fetch: 'kept',
      gat: 'value',
      namespace: ['x', null],
    });
  });

  it('reads reliably by the options in a key', () => {
    expect(seen.reliable).toEqual(reliableReads(null));
  });

  it('asks for the version and the statistics, and flushes', () => {
    expect(seen).toMatchObject({
      version: expect.stringMatching(numericVersion),
      stats: someStats,
      flush: [true, null],
    });
  });
});
