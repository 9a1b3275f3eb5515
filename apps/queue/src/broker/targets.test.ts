import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dialects } from '../dialect.ts';
import { cached, parseReadTarget, parseWriteTarget } from './targets.ts';

const { memcached, kestrel } = dialects;
const verbs = ['open', 'close', 'abort', 'peek'] as const;

describe('a read', () => {
  test('any options in any order and any case give the same', () => {
    const option = fc.constantFrom('open', 'close', 't=250', 'cursor=c');
    fc.assert(
      fc.property(
        fc.uniqueArray(option),
        fc.stringMatching(/^[a-z/.~+-]{1,20}x$/),
        fc.infiniteStream(fc.boolean()),
        (options, name, large) => {
          const cased = options.map((each) =>
            each.startsWith('cursor')
              ? each
              : [...each].map((char) => (large.next().value ? char.toUpperCase() : char)).join(''),
          );
          expect(parseReadTarget([name, ...cased].join('/'), memcached)).toEqual({
            queue: name,
            cursor: options.includes('cursor=c') ? 'c' : undefined,
            open: options.includes('open'),
            close: options.includes('close'),
            abort: false,
            peek: false,
            bury: false,
            delayMs: 0,
            batch: 1,
            timeoutMs: options.includes('t=250') ? 250 : 0,
          });
        },
      ),
    );
  });

  test.each([
    ['q', 'q', {}],
    ['q/open', 'q', { open: true }],
    ['a/b/peek', 'a/b', { peek: true }],
    ['a/open/b', 'a/open/b', {}],
    ['q/t=0', 'q', { timeoutMs: 0 }],
    ['q/t=9999999999', 'q', { timeoutMs: 9_999_999_999 }],
    ['q/t=99999999999', 'q/t=99999999999', {}],
    ['q/t=1/t=2', 'q', { timeoutMs: 1 }],
    ['q/t=-1', 'q/t=-1', {}],
    ['q/cursor=', 'q/cursor=', {}],
    ['q/cursor=A', 'q', { cursor: 'A' }],
    ['q//open', 'q/', { open: true }],
    ['open', 'open', {}],
    ['orders+audit/open', 'orders+audit', { open: true }],
  ] as const)('%s', (key, queue, options) => {
    expect(parseReadTarget(key, memcached)).toEqual({
      queue,
      cursor: undefined,
      open: false,
      close: false,
      abort: false,
      peek: false,
      bury: false,
      delayMs: 0,
      batch: 1,
      timeoutMs: 0,
      ...options,
    });
  });

  test('abort and peek go with no other verb', () => {
    for (const first of verbs) {
      for (const second of verbs) {
        const fits = first === second || [first, second].every((verb) => verb === 'open' || verb === 'close');
        const parse = (): unknown => parseReadTarget(`q/${first}/${second}`, memcached);
        if (fits) expect(parse).not.toThrow();
        else expect(parse).toThrow(expect.objectContaining({ code: 'bad-options' }));
      }
    }
  });

  test.each(['', '/open', `${'k'.repeat(251)}/open`])('%j has no name that can be', (key) => {
    expect(() => parseReadTarget(key, memcached)).toThrow(expect.objectContaining({ code: 'bad-name' }));
  });

  test('in the dialect of Kestrel a dot sets off a cursor, and names are stricter', () => {
    expect(parseReadTarget('q.c/open', kestrel)).toMatchObject({ queue: 'q', cursor: 'c', open: true });
    for (const key of ['q/x', 'q~', '.q', 'q.c.d', 'q.c/cursor=d', 'q.']) {
      expect(() => parseReadTarget(key, kestrel), key).toThrow(expect.objectContaining({ code: 'bad-name' }));
    }
  });
});

describe('a write', () => {
  test.each([
    ['q', ['q'], false],
    ['a+b', ['a', 'b'], false],
    ['a+b+a', ['a', 'b'], false],
    ['q/sync', ['q'], true],
    ['a+b/SYNC', ['a', 'b'], true],
    ['a/b', ['a/b'], false],
    ['a/syncs', ['a/syncs'], false],
    ['open', ['open'], false],
  ] as const)('%s', (key, queues, sync) => {
    expect(parseWriteTarget(key, memcached)).toEqual({ queues, sync });
  });

  test('what can be written can be read, and under the same name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z/=.+]{1,12}(\/(open|t=5|cursor=x|sync|peek))?$/), (key) => {
        let queues: readonly string[];
        try {
          ({ queues } = parseWriteTarget(key, memcached));
        } catch {
          return;
        }
        for (const name of queues)
          expect(parseReadTarget(name, memcached)).toMatchObject({ queue: name, open: false });
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['', '/sync', 'a+', '+', 'a+b/open', 'q/t=5', 'q/cursor=x', 'q/bury/sync', 'k'.repeat(251)])(
    '%j is refused',
    (key) => {
      expect(() => parseWriteTarget(key, memcached)).toThrow(expect.objectContaining({ code: 'bad-name' }));
    },
  );
});

test('a cached parser parses each key once, forgets at some time, and remembers no refusal', () => {
  let parsed = 0;
  const parse = cached((key: string) => {
    parsed += 1;
    if (key === 'bad') throw new Error('no');
    return key;
  });
  for (let round = 0; round < 3; round += 1) expect(parse('a')).toBe('a');
  expect(parsed).toBe(1);
  expect(() => parse('bad')).toThrow();
  expect(() => parse('bad')).toThrow();
  expect(parsed).toBe(3);
  for (let index = 0; index < 10_000; index += 1) parse(`${index}`);
  parse('a');
  expect(parsed).toBe(10_004);
});
