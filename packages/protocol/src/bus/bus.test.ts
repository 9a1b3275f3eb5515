import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ControlPacket,
  chunkCursor,
  DATA_HEADER_BYTES,
  decodePacket,
  decodeRecovered,
  encodeControl,
  LIMITS,
  nextChunk,
  PacketType,
  putChunk,
  sealData,
  wrapRecovered,
} from './index.ts';

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const id = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const sequence = fc.integer({ min: 0, max: LIMITS.sequence - 1 });
const ring = fc.record({ representative: id, sequence });
const ids = (max: number) => fc.uniqueArray(id, { maxLength: max }).map((list) => list.sort((a, b) => a - b));

const token = fc
  .record({
    sender: id,
    ring,
    tokenSequence: sequence,
    numbers: fc.tuple(u32, u32).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    aruSetter: u32,
    flow: u32,
    backlog: u32,
    sent: fc.integer({ min: 0, max: 128 }),
    received: fc.integer({ min: 0, max: 128 }),
    asked: fc.array(u32, { maxLength: LIMITS.requests }),
  })
  .map(({ numbers, asked, ...rest }) => ({
    type: PacketType.token,
    ...rest,
    aru: numbers[0],
    sequence: numbers[1],
    requests: asked.filter((n) => n > 0 && n <= numbers[1]),
  }));
const hurry = fc.record({ type: fc.constant(PacketType.hurry), sender: id, ring });
const join = fc
  .record({ ring, incarnation: sequence, serial: u32, usedSequence: sequence, set: ids(128), cut: fc.nat() })
  .filter(({ set }) => set.length > 0)
  .map(({ set, cut, ...rest }) => {
    const sender = set[cut % set.length]!;
    const failed = set.filter((each, index) => each !== sender && ((cut >> (index % 30)) & 1) === 1);
    return { type: PacketType.join, sender, ...rest, processes: set, failed };
  });
const presence = fc.record({
  type: fc.constant(PacketType.presence),
  sender: id,
  ring,
  incarnation: sequence,
  serial: u32,
  heard: ids(128),
});
const commit = fc
  .record({
    sender: id,
    sequence,
    hop: u32,
    set: ids(128).filter((set) => set.length > 0),
    old: ring,
    numbers: fc.tuple(u32, u32, u32).map((list) => list.sort((a, b) => a - b)),
    obligations: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .map(({ sender, sequence, hop, set, old, numbers, obligations }) => ({
    type: PacketType.commit,
    sender,
    ring: { representative: set[0]!, sequence },
    hop,
    members: set.map((id, index) => ({
      id,
      filled: index % 2 === 0,
      ring: old,
      delivered: numbers[0]!,
      aru: numbers[1]!,
      high: numbers[2]!,
      obligations: new Uint8Array(obligations),
    })),
  }));
const control: fc.Arbitrary<ControlPacket> = fc.oneof(token, hurry, join, presence, commit);

/** Pieces of messages as a packet's bytes. */
const chunk = fc.record({
  first: fc.boolean(),
  last: fc.boolean(),
  service: fc.integer({ min: 0, max: 5 }),
  payload: fc.uint8Array({ maxLength: 300 }),
});
const body = fc.array(chunk, { minLength: 1, maxLength: 6 }).map((chunks) => {
  const bytes = Buffer.alloc(DATA_HEADER_BYTES + 6 * 308);
  let from = DATA_HEADER_BYTES;
  for (const { first, last, service, payload } of chunks) {
    from = putChunk(bytes, from, first, last, service, payload.length, payload.length + 7);
    bytes.set(payload, from);
    from += payload.length;
  }
  return { chunks, bytes: bytes.subarray(0, from) };
});

describe('ring packets', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(control, (packet) => {
        expect(decodePacket(encodeControl(packet))).toEqual(packet);
      }),
    );
  });

  it('of data carry their chunks, and packets of an earlier ring', () => {
    fc.assert(
      fc.property(body, id, ring, id, u32, fc.boolean(), ring, (made, sender, of, seq, round, safe, next) => {
        const packet = sealData(made.bytes, sender, of, seq, round, safe);
        expect(decodePacket(made.bytes)).toEqual(packet);
        const cursor = chunkCursor();
        const read = [];
        while (nextChunk(made.bytes, cursor)) {
          const { first, last, service, start, end } = cursor;
          read.push({ first, last, service, payload: new Uint8Array(made.bytes.subarray(start, end)) });
          if (first && !last) expect(cursor.total).toBe(end - start + 7);
        }
        expect(read).toEqual(made.chunks);
        const wrapped = decodePacket(wrapRecovered(packet, sender, next, 5, round).bytes);
        if (typeof wrapped === 'string' || wrapped.type !== PacketType.data) throw new Error('not data');
        expect(wrapped.recovered).toBe(true);
        expect(decodeRecovered(wrapped)).toEqual(packet);
        // Never wrapped twice.
        const twice = wrapRecovered(wrapped, sender, next, 6, round);
        expect(decodePacket(twice.bytes)).toBe('bad-flags');
      }),
    );
  });

  it('that are mutated, cut or random are refused or well formed, and never throw', () => {
    const mutated = fc.tuple(
      fc.oneof(
        control.map(encodeControl),
        body.map(({ bytes }) => {
          sealData(bytes, 3, { representative: 1, sequence: 9 }, 4, 7, false);
          return Buffer.from(bytes);
        }),
      ),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 }),
      fc.option(fc.nat(), { nil: undefined }),
    );
    fc.assert(
      fc.property(mutated, ([bytes, changes, cut]) => {
        for (const [place, value] of changes) bytes[place % bytes.length] = value;
        const given = cut === undefined ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
        const packet = decodePacket(given);
        if (typeof packet === 'string') return;
        if (packet.type === PacketType.data) {
          const cursor = chunkCursor();
          if (!packet.recovered) {
            while (nextChunk(given, cursor)) expect(cursor.end).toBeLessThanOrEqual(given.length);
          }
        } else {
          // Whatever is accepted is canonical: it is written back as it was.
          expect(encodeControl(packet).equals(given)).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        if (bytes.length > 1) {
          bytes[0] = 1;
          bytes[1] = bytes[1]! % 7;
        }
        decodePacket(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('say what is wrong with them', () => {
    const good = encodeControl({
      type: PacketType.hurry,
      sender: 3,
      ring: { representative: 1, sequence: 9 },
    });
    const changed = (place: number, value: number) => {
      const bytes = Buffer.from(good);
      bytes[place] = value;
      return decodePacket(bytes);
    };
    expect(changed(0, 2)).toBe('bad-version');
    expect(changed(1, 9)).toBe('bad-type');
    expect(changed(2, 1)).toBe('bad-flags');
    expect(changed(4, 0)).toBe('bad-id');
    expect(changed(18, 0x10)).toBe('bad-number');
    expect(decodePacket(good.subarray(0, 19))).toBe('too-short');
    expect(decodePacket(Buffer.concat([good, good]))).toBe('bad-length');
    expect(decodePacket(Buffer.alloc(65_508))).toBe('too-long');
  });
});
