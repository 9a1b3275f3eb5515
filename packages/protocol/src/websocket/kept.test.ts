import { expect, it } from 'vitest';
import {
  decodeClientControl,
  decodeCursor,
  decodeFrame,
  encodeClientControl,
  encodeCursor,
  encodeRecord,
  frameOf,
  isSameOrigin,
  keptOf,
  keyAndDataOf,
  originOf,
  recordBytes,
  renumbered,
} from './index.ts';

const kept = {
  sequence: 9,
  timeMs: 1.8e12,
  ringSequence: 2 ** 33,
  representative: 4,
  sender: 5,
  order: 2 ** 40,
  groupIndex: 1,
};
const origin = { publisher: '0123456789abcdef'.repeat(2), sequence: 17 };
const message = {
  sender: '#a#b',
  groups: ['g', 'h'],
  service: 'agreed',
  messageType: 3,
  key: 'ключ',
  selfDiscard: false,
  bigEndian: false,
  data: Uint8Array.of(1, 2, 3),
} as const;

it.each([
  [undefined, kept],
  [origin, kept],
  [origin, undefined],
])('a record says where it comes from and where it is kept', (from, where) => {
  const record = encodeRecord({ ...message, origin: from, kept: where });
  expect(decodeFrame(frameOf(1, [record]), 'daemon')).toEqual([
    { number: 1, ...message, groups: ['g', 'h'], origin: from, kept: where },
  ]);
  expect(originOf(record)).toEqual(from);
  if (where === undefined) return;
  expect(keptOf(renumbered(record, 10))).toEqual({ ...where, sequence: 10 });
  expect(keptOf(record)).toEqual(where);
  expect(keyAndDataOf(record)).toEqual({ key: 'ключ', data: message.data });
});

it('two records are of one message if their publisher gave both the same sequence', () => {
  const record = encodeRecord({ ...message, origin, kept });
  const repeat = encodeRecord({ ...message, origin, kept: { ...kept, ringSequence: 9 } });
  const next = encodeRecord({ ...message, origin: { ...origin, sequence: 18 }, kept });
  const other = encodeRecord({ ...message, origin: { ...origin, publisher: '1'.repeat(32) }, kept });
  const none = encodeRecord({ ...message, kept });
  expect(recordBytes(Buffer.concat([record, Uint8Array.of(1)]))).toBe(record.length);
  expect([repeat, next, other, none].map((one) => isSameOrigin(record, one))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(isSameOrigin(none, none)).toBe(false);
});

it('a client does not say where a message is kept', () => {
  const record = encodeRecord({ ...message, sender: '', kept });
  expect(decodeFrame(frameOf(1, [record]), 'client')).toMatchObject({ kind: 'bad' });
});

it('a cursor comes back, and what is none is none', () => {
  const given = {
    floor: 3,
    strands: [{ ringSequence: 2 ** 33, representative: 1, sender: 2, order: 2 ** 47 }],
  };
  expect(decodeCursor(encodeCursor(given))).toEqual(given);
  for (const text of ['', '1', '2_0', '1_0_1.2.3', '1_0_1.2.3.4.5', '1_0_1.2.3.-4', '1_zzzzzzzzzzzz']) {
    expect(decodeCursor(text)).toBeUndefined();
  }
});

it.each([
  { from: 'start', filter: {}, lastValue: false },
  {
    from: 'now',
    filter: { keys: ['a*'], words: ['x y'], fields: { 'a.b': [1, 'x', null, true] } },
    lastValue: true,
  },
  { from: { sequence: 4 }, filter: {}, lastValue: false },
  { from: { timeMs: 4 }, filter: {}, lastValue: false },
  { from: { last: 4 }, filter: {}, lastValue: false },
  { from: { cursor: '1_0' }, filter: {}, lastValue: false },
  { from: { cursor: '1_0' }, filter: {}, lastValue: true },
] as const)('a subscription comes back', (fields) => {
  const request = { kind: 'subscribe', n: 1, group: 'g', ...fields } as const;
  expect(decodeClientControl(encodeClientControl(request))).toEqual(request);
});

it.each([
  '"from":{"sequence":1,"last":2}',
  '"from":"later"',
  '"view":"last_value","from":"start"',
  '"filter":{"keys":[""]}',
  '"filter":{"fields":{"a":[{}]}}',
  '"filter":{"keys":"a"}',
  '"filter":{"other":[]}',
  `"filter":{"words":["${'a '.repeat(60)}","${'b '.repeat(41)}"]}`,
])('what asks for no place or no filter is refused: %s', (fields) => {
  expect(decodeClientControl(`{"type":"subscribe","n":1,"group":"g",${fields}}`)).toMatchObject({
    kind: 'bad',
  });
});
