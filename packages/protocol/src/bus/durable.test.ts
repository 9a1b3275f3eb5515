import { expect, it } from 'vitest';
import { type DurableEvent, decodeEvent, encodeEvent, type ReadingEvent } from './index.ts';

const ring = { representative: 7, sequence: 2 ** 40 };
const strand = { ringSequence: 2 ** 33, representative: 1, sender: 2 ** 31 - 1, order: 2 ** 47 + 3 };
const record = Uint8Array.of(3, 0, 0, 0, 1, 2, 3);

const about = { to: 2 ** 31 - 1, reading: 2 ** 41 + 5 };

const events: readonly (DurableEvent | ReadingEvent)[] = [
  { kind: 'keeping', ring, patterns: [], views: [], groups: [] },
  {
    kind: 'keeping',
    ring,
    patterns: ['web.*', 'a'],
    views: ['a'],
    groups: [{ name: 'a', floor: 5, strands: [strand, strand] }],
  },
  { kind: 'fill', ring, group: 'a', turn: 3, records: [record, record] },
  { kind: 'filled', ring, group: 'a', turn: 4 },
  { kind: 'read', ...about, request: '{"group":"ö"}' },
  { kind: 'given', ...about, records: [record, record] },
  { kind: 'told', ...about, delivery: '{}' },
  { kind: 'taken', ...about, bytes: 2 ** 50 },
  { kind: 'unread', ...about },
];

it.each(events)('what daemons say of what they keep comes back: $kind', (event) => {
  const bytes = encodeEvent(event);
  const decoded = decodeEvent(bytes)!;
  expect(
    decoded.kind === 'fill' || decoded.kind === 'given'
      ? { ...decoded, records: decoded.records.map((one) => Uint8Array.from(one)) }
      : decoded,
  ).toEqual(event);
});

it.each(events)('cut anywhere, it is nothing or less: $kind', (event) => {
  const bytes = encodeEvent(event);
  for (let length = 0; length < bytes.length; length++) {
    const decoded = decodeEvent(bytes.subarray(0, length));
    if (decoded?.kind === 'read') expect(decoded.request).not.toBe('{"group":"ö"}');
    else if (decoded?.kind === 'told') expect(decoded.delivery).not.toBe('{}');
    else if (decoded?.kind === 'fill' || decoded?.kind === 'given')
      expect(decoded.records.length).toBeLessThan(2);
    else expect(decoded).toBeUndefined();
  }
});

it('numbers that a program can’t hold exactly are refused, wherever they stand', () => {
  const beyond = 2 ** 53;
  const keeping = (floor: number, strands: readonly (typeof strand)[], of = ring): DurableEvent => ({
    kind: 'keeping',
    ring: of,
    patterns: [],
    views: [],
    groups: [{ name: 'a', floor, strands }],
  });
  expect(decodeEvent(encodeEvent(keeping(beyond - 1, [strand])))).toEqual(keeping(beyond - 1, [strand]));
  const wrong: readonly (DurableEvent | ReadingEvent)[] = [
    keeping(5, [strand], { representative: 7, sequence: beyond }),
    keeping(beyond, [strand]),
    keeping(5, [strand, { ...strand, ringSequence: beyond }]),
    keeping(5, [{ ...strand, order: beyond }, strand]),
    { kind: 'fill', ring: { representative: 7, sequence: beyond }, group: 'a', turn: 3, records: [record] },
    { kind: 'taken', ...about, bytes: beyond },
    { kind: 'unread', to: 1, reading: beyond },
  ];
  for (const event of wrong) expect(decodeEvent(encodeEvent(event))).toBeUndefined();
});

it('a message that says where it comes from comes back', () => {
  const origin = { publisher: '00ff'.repeat(8), sequence: 2 ** 50 };
  const message = {
    kind: 'message',
    session: '#a#b',
    groups: ['g'],
    messageType: 1,
    bigEndian: false,
    selfDiscard: true,
    key: 'ö',
    origin,
    data: Buffer.from('x'),
  } as const;
  expect(decodeEvent(encodeEvent(message))).toEqual(message);
});
