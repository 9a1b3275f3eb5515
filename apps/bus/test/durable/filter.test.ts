import { encodeRecord, type Filter } from '@rookery/protocol/websocket';
import { expect, it } from 'vitest';
import { compileFilter } from '../../src/durable/filter.ts';

const KEPT = {
  ringSequence: 1,
  representative: 1,
  sender: 1,
  order: 1,
  sequence: 1,
  timeMs: 1,
  groupIndex: 0,
};

function wants(filter: Filter, data: string, key = ''): boolean {
  const record = encodeRecord({
    sender: '#a#d1',
    groups: ['g'],
    service: 'agreed',
    messageType: 0,
    key,
    selfDiscard: false,
    bigEndian: false,
    kept: KEPT,
    data: Buffer.from(data),
  });
  return compileFilter(filter)!(record);
}

it.each([
  ['disk', 'The DISK is full', true],
  ['Disk', 'disk', true],
  ['disk', 'disks', false],
  ['disk', '2disk', false],
  ['disk', 'ådisk diskå', false],
  ['disk', 'disks and a disk', true],
  ['disk', '(disk)', true],
  ['full disk', 'a disk, and it is full', true],
  ['full disk', 'a disk, and it is fuller', false],
  ['größe', 'Die GRÖSSE: GRÖßE!', true],
  ['10.0.0.1', 'from 10.0.0.1:80', true],
  ['10.0.0.1', 'from 110.0.0.1', false],
  ['c++', 'in c++17', true],
  ['++', 'c++17', true],
  ['-', 'a-b', true],
  ['aa', 'aaa aa', true],
  ['日本', '日本 語', true],
  ['日本', '日本語', false],
])('the word %j in %j: %s', (word, data, is) => {
  expect(wants({ words: [word] }, data)).toBe(is);
});

it('of each list one must hold, and of all lists', () => {
  const filter = {
    keys: ['web.*', 'disk'],
    words: ['down', 'up'],
    fields: { status: [404, 500], 'who.0': ['eve'] },
  };
  const data = '{"status":500,"who":["eve"],"is":"down"}';
  expect(wants(filter, data, 'web.1')).toBe(true);
  expect(wants(filter, data, 'disk')).toBe(true);
  expect(wants(filter, data, 'disks')).toBe(false);
  expect(wants(filter, data, '')).toBe(false);
  expect(wants(filter, data.replace('500', '501'), 'disk')).toBe(false);
  expect(wants(filter, data.replace('eve', 'bob'), 'disk')).toBe(false);
  expect(wants(filter, data.replace('down', 'away'), 'disk')).toBe(false);
  expect(wants(filter, `${data},`, 'disk')).toBe(false);
});

it('fields are those of the data itself', () => {
  expect(wants({ fields: { constructor: [null], 'a.length': [1] } }, '{"a":"x"}')).toBe(false);
  expect(wants({ fields: { a: [null] } }, '{"a":null}')).toBe(true);
  expect(wants({ fields: { a: ['1'] } }, '{"a":1}')).toBe(false);
  expect(wants({ fields: { a: [1] } }, 'null')).toBe(false);
});

it('what is larger than 256 KiB is given without a look into it, if its key is wanted', () => {
  const most = 'x'.repeat(256 * 1024);
  const filter = { keys: ['k'], words: ['disk'] };
  expect(wants(filter, most, 'k')).toBe(false);
  expect(wants(filter, `${most}x`, 'k')).toBe(true);
  expect(wants(filter, `${most}x`, 'other')).toBe(false);
  expect(wants({ fields: { a: [1] } }, JSON.stringify({ a: 2, b: most }))).toBe(true);
});

it('a filter that names nothing is none', () => {
  expect(compileFilter({})).toBeUndefined();
});
