/** Every request and reply that the protocol can carry, for property tests. Bodies may be larger than what is copied. */
import fc from 'fast-check';
import {
  type BinaryCommand,
  type MetaCommand,
  Opcode,
  REFERENCE_BYTES,
  type TextRequest,
  type Uint64,
} from '../src/memcache/index.ts';

const chars = (
  from: number,
  to: number,
  length: { minLength: number; maxLength: number },
): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: from, max: to }), length).map((codes) => String.fromCharCode(...codes));

export const key: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('q', 'work_queue', 'orders+audit', 'k'.repeat(250)) },
  { weight: 5, arbitrary: chars(0x21, 0xff, { minLength: 1, maxLength: 60 }) },
);
const readKey = fc
  .tuple(key, fc.constantFrom('', '/open', '/close/open/t=500'))
  .map(([name, options]) => name + options);
export const anyKey: fc.Arbitrary<string> = chars(0, 0xff, { minLength: 1, maxLength: 60 });
export const word: fc.Arbitrary<string> = chars(0x21, 0x7e, { minLength: 1, maxLength: 20 });
export const uint32: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 9, 10, 99, 100, 0xffff_ffff),
  fc.nat(0xffff_ffff),
);
export const uint64: fc.Arbitrary<Uint64> = fc
  .oneof(
    fc.constantFrom(0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n, 999_999_999n, 10n ** 9n, 2n ** 32n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map((value) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value));
const exptime = fc.oneof(fc.constantFrom(0, -1, 30, 2_592_000, 2_592_001), fc.integer());

/** A body somewhere in a larger buffer. Line ends and commands in it are likely. */
export const body: fc.Arbitrary<{ buffer: Buffer; start: number; end: number }> = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)) },
      {
        weight: 2,
        arbitrary: fc.constantFrom('\r\n', '\r', 'END\r\n', 'get q\r\n', '').map((text) => Buffer.from(text)),
      },
      { weight: 1, arbitrary: fc.nat(3).map((more) => Buffer.alloc(REFERENCE_BYTES - 1 + more, '\r\n')) },
    ),
    fc.nat(3),
  )
  .map(([bytes, start]) => ({
    buffer: Buffer.concat([Buffer.alloc(start, '_'), bytes, Buffer.alloc(2, '_')]),
    start,
    end: start + bytes.length,
  }));

export const textRequest: fc.Arbitrary<TextRequest> = fc.oneof(
  fc.record({
    wire: fc.constant('text' as const),
    kind: fc.constant('get' as const),
    verb: fc.constantFrom('get' as const, 'gets' as const),
    keys: fc.array(readKey, { minLength: 1, maxLength: 5 }),
    exptime: fc.constant(undefined),
  }),
  fc.record({
    wire: fc.constant('text' as const),
    kind: fc.constant('get' as const),
    verb: fc.constantFrom('gat' as const, 'gats' as const),
    keys: fc.array(readKey, { minLength: 1, maxLength: 5 }),
    exptime,
  }),
  fc
    .record({
      verb: fc.constantFrom('set', 'set', 'set', 'add', 'replace', 'append', 'prepend', 'cas'),
      key,
      flags: uint32,
      exptime,
      cas: uint64,
      noreply: fc.boolean(),
      body,
    })
    .map(
      ({ body: { buffer, start, end }, cas, ...rest }) =>
        ({
          wire: 'text',
          kind: 'store',
          ...rest,
          cas: rest.verb === 'cas' ? cas : undefined,
          buffer,
          start,
          end,
        }) as TextRequest,
    ),
  fc
    .record({
      verb: fc.constantFrom('delete', 'incr', 'touch', 'flush_all', 'verbosity'),
      args: fc.array(
        word.filter((arg) => arg !== 'noreply'),
        { maxLength: 3 },
      ),
      noreply: fc.boolean(),
    })
    .map((line) => ({ wire: 'text', kind: 'line', ...line }) as TextRequest),
  fc
    .record({
      verb: fc.constantFrom('stats', 'version', 'flush', 'dump_stats', 'monitor', 'confirm', 'x'),
      args: fc.array(word, { maxLength: 3 }),
    })
    .map((line) => ({ wire: 'text', kind: 'line', ...line, noreply: false }) as TextRequest),
);

const metaFlags = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom('c', 'f', 'h', 'k', 'l', 'q', 's', 't', 'v', 'x', 'I'),
    uint32.map((value) => `F${value}`),
    uint64.map((value) => `C${value}`),
    uint64.map((value) => `D${value}`),
    exptime.map((value) => `T${value}`),
    exptime.map((value) => `N${value}`),
    word.map((value) => `O${value}`),
  ),
  { maxLength: 10, selector: (flag) => flag[0] },
);
const metaLine = fc
  .tuple(fc.boolean(), key, anyKey, metaFlags, fc.nat(10))
  .map(([base64, plain, any, flags, at]) =>
    base64 ? { key: any, base64, flags: flags.toSpliced(at, 0, 'b') } : { key: plain, base64, flags },
  );

export const metaCommand: fc.Arbitrary<MetaCommand> = fc.oneof(
  fc
    .tuple(fc.constantFrom('mg' as const, 'md' as const, 'ma' as const, 'me' as const), metaLine)
    .map(([kind, line]): MetaCommand => ({ kind, ...line })),
  fc.tuple(metaLine, body).map(([line, bytes]): MetaCommand => ({ kind: 'ms', ...line, ...bytes })),
  fc.constant<MetaCommand>({ kind: 'mn' }),
);

export const binaryCommand: fc.Arbitrary<BinaryCommand> = fc
  .record({
    opcode: fc.constantFrom(...Object.values(Opcode)),
    opaque: uint32,
    cas: uint64,
    vbucket: fc.nat(0xffff),
    key: anyKey,
    flags: uint32,
    exptime: uint32,
    delta: uint64,
    initial: uint64,
    verbosity: uint32,
    body,
  })
  .map(({ body: bytes, ...rest }) => ({ ...rest, ...bytes }));

/** Places to cut `length` bytes: often everywhere, or in a few places. */
export function cutsOf(length: number): fc.Arbitrary<number[]> {
  return fc.oneof(
    fc.constant<number[]>([]),
    fc
      .integer({ min: 1, max: 8 })
      .map((step) => Array.from({ length: Math.min(2000, Math.floor(length / step)) }, (_, i) => i * step)),
    fc.array(fc.nat(length), { maxLength: 12 }),
  );
}
