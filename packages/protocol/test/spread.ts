/** What the tests of Spread's protocol share: decoding under any split, frames as plain values, and arbitrary frames. */
import fc from 'fast-check';
import {
  type ByteOrder,
  type Cause,
  type ClientInput,
  createClientDecoder,
  createDaemonDecoder,
  type DaemonInput,
  type Limits,
  type Membership,
  type Message,
  Output,
  REFERENCE_BYTES,
  type Sending,
  type Service,
  type Version,
} from '../src/spread/index.ts';

export const ME = '#zz#localhost';

export function bytesOf(write: (out: Output) => void): Buffer {
  const out = new Output(256);
  write(out);
  return Buffer.concat(out.take());
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[^0-9a-f]/g, ''), 'hex');
}

/** A frame with its data as a latin1 string, so that it can be compared. */
export function plain(item: ClientInput | DaemonInput): Record<string, unknown> {
  const { buffer, start, end, ...rest } = item as unknown as Record<string, unknown>;
  if (!Buffer.isBuffer(buffer)) return rest;
  return { ...rest, data: buffer.toString('latin1', start as number, end as number) };
}

interface Decoder<T> {
  push(chunk: Uint8Array): void;
  next(): T | undefined;
}

/** All that comes out for `bytes` cut at `cuts`; `seen` may act on each item, as a daemon does. Data is read at the end. */
export function decodeAll<T extends ClientInput | DaemonInput>(
  decoder: Decoder<T>,
  bytes: Buffer,
  cuts: readonly number[],
  seen?: (item: T) => void,
): Record<string, unknown>[] {
  const items: T[] = [];
  const inside = [...cuts].filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...inside, bytes.length]) {
    decoder.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      items.push(item);
      seen?.(item);
    }
  }
  return items.map(plain);
}

/** The first words of a client called zz, up to its admission as `ME`. */
export const HELLO: Buffer = hex('05000101 02 7a7a');
export const CHOICE: Buffer = Buffer.concat([Buffer.from('NULL'), Buffer.alloc(86)]);
/** A daemon's answers to them. */
export const LET_IN: Buffer = Buffer.concat([
  Buffer.from('\x05NULL \x01\x05\x00\x01\x0d', 'latin1'),
  Buffer.from(ME),
]);

/** What a daemon reads of a client's frames, behind a handshake that it has let in. */
export function daemonReads(
  frames: Buffer,
  cuts: readonly number[] = [],
  limits?: Partial<Limits>,
): Record<string, unknown>[] {
  const decoder = createDaemonDecoder(limits);
  for (const bytes of [HELLO, CHOICE]) {
    decoder.push(bytes);
    decoder.next();
  }
  decoder.admit(ME);
  return decodeAll(decoder, frames, cuts);
}

/** What a client reads of a daemon's frames, behind a handshake. Its version is 3.16 or newer. */
export function clientReads(
  frames: Buffer,
  cuts: readonly number[] = [],
  limits?: Partial<Limits>,
  version?: Version,
): Record<string, unknown>[] {
  const decoder = createClientDecoder(limits, version);
  decoder.push(LET_IN);
  decoder.next();
  decoder.next();
  return decodeAll(decoder, frames, cuts);
}

export function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes, (_, index) => index);
}

// --- arbitrary ----------------------------------------------------------------------------------

const chars = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0x24, max: 0x7e }), { minLength, maxLength })
    .map((codes) => String.fromCharCode(...codes));

export const order: fc.Arbitrary<ByteOrder> = fc.constantFrom('little', 'big');
export const group: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('g1', 'logs', 'x'.repeat(31), '~'),
  chars(1, 31),
);
export const privateName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('zz', 'x'.repeat(10)),
  chars(1, 10),
);
export const member: fc.Arbitrary<string> = fc
  .tuple(privateName, fc.oneof(fc.constantFrom('localhost', 'd'.repeat(19)), chars(1, 19)))
  .map(([name, daemon]) => `#${name}#${daemon}`);
export const version: fc.Arbitrary<Version> = fc.oneof(
  fc.constantFrom(
    { major: 3, minor: 1, patch: 0 },
    { major: 3, minor: 14, patch: 0 },
    { major: 3, minor: 15, patch: 2 },
    { major: 3, minor: 16, patch: 0 },
    { major: 5, minor: 0, patch: 1 },
  ),
  fc.record({
    major: fc.integer({ min: 4, max: 127 }),
    minor: fc.nat(127),
    patch: fc.nat(127),
  }),
);
const service: fc.Arbitrary<Service> = fc.constantFrom(
  'unreliable',
  'reliable',
  'fifo',
  'causal',
  'agreed',
  'safe',
);
const int32 = fc.oneof(fc.constantFrom(0, -1, 0x7fff_ffff, -0x8000_0000), fc.integer());
const id = fc.record({ daemon: int32, time: int32, index: int32 });
const messageType = fc.oneof(fc.constantFrom(0, 1, 255, 256, 0x7fff, 0x8000, 0xffff), fc.nat(0xffff));

/** Data somewhere in a larger buffer; headers in it, and lengths around what is copied, are likely. */
const data = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)) },
      { weight: 1, arbitrary: fc.constant(Buffer.concat([hex('80110080'), Buffer.alloc(44)])) },
      { weight: 1, arbitrary: fc.nat(3).map((more) => Buffer.alloc(REFERENCE_BYTES - 1 + more, 'ab')) },
    ),
    fc.nat(3),
  )
  .map(([bytes, start]) => ({
    buffer: Buffer.concat([Buffer.alloc(start, '_'), bytes, Buffer.alloc(2, '_')]),
    start,
    end: start + bytes.length,
  }));

const groups = fc.oneof(
  { weight: 9, arbitrary: fc.array(fc.oneof(group, member), { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 100 }, (_, index) => `g${index}`)) },
);

export const sending: fc.Arbitrary<Sending> = fc
  .record({ service, selfDiscard: fc.boolean(), groups, messageType, data })
  .map(({ data: bytes, ...rest }) => ({ ...rest, ...bytes }));

export const message: fc.Arbitrary<Message> = fc
  .record({
    kind: fc.constant('message' as const),
    service,
    selfDiscard: fc.boolean(),
    sender: member,
    groups,
    messageType,
    messageOrder: order,
    data,
  })
  .map(({ data: bytes, ...rest }) => ({ ...rest, ...bytes }));

export const membership: fc.Arbitrary<Membership> = fc
  .record({
    cause: fc.constantFrom<Cause>('join', 'leave', 'disconnect', 'network'),
    group,
    id,
    members: fc.array(member, { maxLength: 12 }),
    cuts: fc.array(fc.nat(12), { maxLength: 4 }),
    changed: member,
    pick: fc.nat(),
  })
  .map(({ cuts, pick, changed, ...rest }) => {
    const kind = 'membership' as const;
    if (rest.cause !== 'network') return { kind, ...rest, sets: [[changed]], mine: 0 };
    const marks = [0, ...cuts.sort((a, b) => a - b), rest.members.length];
    const sets = marks.slice(1).map((mark, index) => rest.members.slice(marks[index], mark));
    return { kind, ...rest, sets, mine: pick % sets.length };
  });

export const transition = fc.record({ kind: fc.constant('transition' as const), group, id });

/** Places to cut `length` bytes: nowhere, everywhere, or in a few places. */
export function cutsOf(length: number): fc.Arbitrary<number[]> {
  return fc.oneof(
    fc.constant<number[]>([]),
    fc
      .integer({ min: 1, max: 60 })
      .map((step) => Array.from({ length: Math.min(2000, Math.floor(length / step)) }, (_, i) => i * step)),
    fc.array(fc.nat(length), { maxLength: 12 }),
  );
}
