import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clientControl, daemonControl, record } from '../../test/websocket.ts';
import {
  decodeClientControl,
  decodeDaemonControl,
  decodeFrame,
  encodeClientControl,
  encodeDaemonControl,
  encodeOwnRecord,
  encodeRecord,
  frameOf,
  frameOfOwn,
} from './index.ts';

it('a daemon reads what a client says', () => {
  fc.assert(
    fc.property(clientControl, (control) => {
      expect(decodeClientControl(encodeClientControl(control))).toEqual(control);
    }),
    { numRuns: 2000 },
  );
});

it('a client reads what a daemon says', () => {
  fc.assert(
    fc.property(daemonControl, (control) => {
      expect(decodeDaemonControl(encodeDaemonControl(control))).toEqual(control);
    }),
    { numRuns: 2000 },
  );
});

it('both read each other’s records', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 2 ** 52 }),
      fc.constantFrom('client' as const, 'daemon' as const),
      (list, first, from) => {
        const records = from === 'client' ? list.map((one) => ({ ...one, sender: '' })) : list;
        const frame = frameOf(first, records.map(encodeRecord));
        expect(decodeFrame(frame, from)).toEqual(
          records.map((one, index) => ({ number: first + index, ...one })),
        );
      },
    ),
    { numRuns: 1000 },
  );
});

it('a sender’s own frames are the same, with a copy and without, and again under another number', () => {
  const message = (bytes: number) => ({
    sender: '',
    groups: ['g'],
    service: 'agreed' as const,
    messageType: 7,
    key: 'k',
    selfDiscard: false,
    bigEndian: false,
    data: new Uint8Array(bytes).fill(3),
  });
  for (const sizes of [[100], [10_000], [100, 100], [10_000, 10_000], [10_000, 100]]) {
    const shared = sizes.map((bytes) => encodeRecord(message(bytes)));
    const own = sizes.map((bytes) => encodeOwnRecord(message(bytes)));
    expect(own).toEqual(shared);
    for (const number of [1, 2 ** 40]) expect(frameOfOwn(number, own)).toEqual(frameOf(number, shared));
  }
  const large = encodeOwnRecord(message(10_000));
  expect(frameOfOwn(1, [large]).buffer).toBe(large.buffer);
});
