import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvent, encodeEvent, type GroupEvent } from './index.ts';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const about = { to: fc.nat(), reading: fc.maxSafeNat() };
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const event: fc.Arbitrary<GroupEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('message' as const),
    session: name,
    groups: fc.array(name, { minLength: 1, maxLength: 10 }),
    messageType: fc.integer({ min: 0, max: 65_535 }),
    bigEndian: fc.boolean(),
    selfDiscard: fc.boolean(),
    key: text.filter((key) => Buffer.byteLength(key) <= 255),
    data: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), session: name, group: name }),
  fc.record({ kind: fc.constant('disconnect' as const), session: name }),
  fc.record({ kind: fc.constant('pressure' as const), group: name, on: fc.boolean() }),
  fc.record({
    kind: fc.constant('state' as const),
    history: name,
    members: fc.array(fc.record({ group: name, session: name }), { maxLength: 20 }),
  }),
  fc.record({ kind: fc.constant('read' as const), ...about, request: text }),
  fc.record({ kind: fc.constant('told' as const), ...about, delivery: text }),
  fc.record({ kind: fc.constant('taken' as const), ...about, bytes: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('unread' as const), ...about }),
);

const EXTENSIBLE = new Set(['state', 'keeping', 'filled']);

/** What is UTF-8 on the wire, of an event that has such. */
function textOf(event: GroupEvent): string {
  switch (event.kind) {
    case 'message':
      return event.key;
    case 'read':
      return event.request;
    case 'told':
      return event.delivery;
    default:
      return '';
  }
}

describe('events of groups', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(event, (value) => {
        expect(decodeEvent(encodeEvent(value))).toEqual(value);
      }),
    );
  });

  it('that a newer version has put more behind are read without it', () => {
    fc.assert(
      fc.property(event, fc.uint8Array({ minLength: 1 }), (value, more) => {
        fc.pre(EXTENSIBLE.has(value.kind));
        expect(decodeEvent(Buffer.concat([encodeEvent(value), more]))).toEqual(value);
      }),
    );
  });

  it('that are mutated, cut or random are refused or well formed, and never throw', () => {
    const mutated = fc.tuple(event.map(encodeEvent), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat());
    fc.assert(
      fc.property(mutated, ([bytes, place, value, cut]) => {
        bytes[place % bytes.length] = value;
        const given = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
        const decoded = decodeEvent(given);
        // Whatever is accepted is canonical: it is written back as it was, unless text in it was no UTF-8.
        if (decoded === undefined || textOf(decoded).includes('\ufffd')) return;
        const again = encodeEvent(decoded);
        // Of what daemons say of themselves, more behind it is a newer version's.
        const most = EXTENSIBLE.has(decoded.kind) ? again.length : given.length;
        expect(again.equals(given.subarray(0, most))).toBe(true);
      }),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeEvent(Buffer.from(bytes))));
  });
});
