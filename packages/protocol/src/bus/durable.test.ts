import { expect, it } from 'vitest';
import { type DurableEvent, decodeEvent, encodeEvent } from './index.ts';

const ring = { representative: 7, sequence: 2 ** 40 };
const strand = { ringSequence: 2 ** 33, representative: 1, sender: 2 ** 31 - 1, order: 2 ** 47 + 3 };
const record = Uint8Array.of(3, 0, 0, 0, 1, 2, 3);

const events: readonly DurableEvent[] = [
  { kind: 'keeping', ring, patterns: [], groups: [] },
  {
    kind: 'keeping',
    ring,
    patterns: ['web.*', 'a'],
    groups: [{ name: 'a', floor: 5, strands: [strand, strand] }],
  },
  { kind: 'fill', ring, group: 'a', turn: 3, records: [record, record] },
  { kind: 'filled', ring, group: 'a', turn: 4 },
];

it.each(events)('what daemons say of what they keep comes back: $kind', (event) => {
  const bytes = encodeEvent(event);
  const decoded = decodeEvent(bytes)!;
  expect(
    decoded.kind === 'fill'
      ? { ...decoded, records: decoded.records.map((one) => Uint8Array.from(one)) }
      : decoded,
  ).toEqual(event);
});

it.each(events)('cut anywhere, it is nothing or fewer records: $kind', (event) => {
  const bytes = encodeEvent(event);
  for (let length = 0; length < bytes.length; length++) {
    const decoded = decodeEvent(bytes.subarray(0, length));
    if (decoded?.kind === 'fill') expect(decoded.records.length).toBeLessThan(2);
    else expect(decoded).toBeUndefined();
  }
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
