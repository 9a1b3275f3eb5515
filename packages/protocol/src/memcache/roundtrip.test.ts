import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anyKey,
  binaryCommand,
  body,
  cutsOf,
  key,
  metaCommand,
  textRequest,
  uint32,
  uint64,
  word,
} from '../../test/arbitraries.ts';
import { decodeAll, everyByte, plain } from '../../test/support.ts';
import {
  type BinaryCommand,
  createBinaryReplyDecoder,
  createRequestDecoder,
  createTextReplyDecoder,
  type MetaCode,
  type MetaCommand,
  Output,
  type Reply,
  type Request,
  type TextRequest,
  writeBinaryReply,
  writeBinaryRequest,
  writeBinaryValue,
  writeMetaRequest,
  writeMetaStatus,
  writeMetaValue,
  writeTextLine,
  writeTextNumber,
  writeTextRequest,
  writeTextStat,
  writeTextStatus,
  writeTextValue,
} from './index.ts';

function encoded<T>(write: (out: Output, item: T) => void, items: readonly T[]): Buffer {
  const out = new Output(256);
  for (const item of items) write(out, item);
  return Buffer.concat(out.take());
}

/** For any list of items and any cuts, decoding what was written gives `expected`. */
function holds<T>(
  arbitrary: fc.Arbitrary<T>,
  write: (out: Output, item: T) => void,
  decode: (bytes: Buffer, cuts: readonly number[]) => Record<string, unknown>[],
  check: (decoded: Record<string, unknown>[], items: readonly T[]) => void,
): void {
  fc.assert(
    fc.property(
      fc.array(arbitrary, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      (items, seeds) => {
        const bytes = encoded(write, items);
        const seed = seeds.next().value as number;
        const [cuts] = fc.sample(cutsOf(bytes.length), { numRuns: 1, seed });
        check(decode(bytes, cuts!), items);
        if (bytes.length < 600) check(decode(bytes, everyByte(bytes)), items);
      },
    ),
    { numRuns: 300 },
  );
}

const requests = (bytes: Buffer, cuts: readonly number[]): Record<string, unknown>[] =>
  decodeAll(createRequestDecoder(), bytes, cuts);
const bodyOf = (item: { buffer?: Buffer; start?: number; end?: number }): string =>
  item.buffer === undefined ? '' : item.buffer.toString('latin1', item.start, item.end);

describe('whatever a client sends, cut anywhere, a server reads as it was meant', () => {
  it('text', () => {
    holds<TextRequest>(textRequest, writeTextRequest, requests, (decoded, items) => {
      expect(decoded).toEqual(items.map((item) => plain(item as Request)));
    });
  });

  it('meta', () => {
    holds<MetaCommand>(metaCommand, writeMetaRequest, requests, (decoded, items) => {
      expect(decoded).toHaveLength(items.length);
      items.forEach((item, index) => {
        const got = decoded[index]!;
        expect(got.kind).toBe(item.kind);
        if (item.kind === 'mn') return;
        expect(got).toMatchObject({ key: item.key, base64: item.base64, flags: item.flags });
        if (item.kind === 'ms') expect(got.body).toBe(bodyOf(item));
        for (const flag of item.flags) {
          const token = flag.slice(1);
          if (flag[0] === 'O') expect(got.opaque).toBe(token);
          if (flag[0] === 'T' && item.kind !== 'me') expect(got.exptime).toBe(Number(token));
          if (flag[0] === 'F' && item.kind === 'ms') expect(got.clientFlags).toBe(Number(token));
          if (flag[0] === 'C' && (item.kind === 'ms' || item.kind === 'md'))
            expect(String(got.cas)).toBe(token);
        }
      });
    });
  });

  it('binary', () => {
    holds<BinaryCommand>(binaryCommand, writeBinaryRequest, requests, (decoded, items) => {
      expect(decoded).toHaveLength(items.length);
      items.forEach((item, index) => {
        const got = decoded[index]!;
        const { opcode, opaque, cas, vbucket, key: name } = item;
        expect(got).toMatchObject({ opcode, opaque, cas, vbucket, key: name, body: bodyOf(item) });
        for (const field of ['flags', 'exptime', 'delta', 'initial', 'verbosity'] as const) {
          if (got[field] !== undefined) expect(got[field]).toBe(item[field]);
        }
      });
    });
  });
});

type Written = { write: (out: Output) => void; reply: Record<string, unknown> };

describe('whatever a server answers, cut anywhere, a client reads as it was meant', () => {
  it('text and meta', () => {
    const value = fc.tuple(key, uint32, fc.option(uint64, { nil: undefined }), body).map(
      ([name, flags, cas, { buffer, start, end }]): Written => ({
        write: (out) => writeTextValue(out, name, flags, buffer, start, end, cas),
        reply: plain({ wire: 'text', kind: 'value', key: name, flags, cas, buffer, start, end } as Reply),
      }),
    );
    const stat = fc.tuple(word, word).map(
      ([name, text]): Written => ({
        write: (out) => writeTextStat(out, name, text),
        reply: { wire: 'text', kind: 'stat', name, value: text },
      }),
    );
    const number = uint64.map(
      (amount): Written => ({
        write: (out) => writeTextNumber(out, amount),
        reply: { wire: 'text', kind: 'number', value: amount },
      }),
    );
    const line = fc.constantFrom('STORED', 'VERSION 1.2.3', 'Flushed all queues.', '  items=1').map(
      (text): Written => ({
        write: (out) => writeTextLine(out, text),
        reply: { wire: 'text', kind: 'line', text },
      }),
    );
    const end = fc.constant<Written>({
      write: (out) => writeTextStatus(out, 'END'),
      reply: { wire: 'text', kind: 'end' },
    });
    const flags = fc.array(word, { maxLength: 5 });
    const status = fc.tuple(fc.constantFrom<MetaCode>('HD', 'EN', 'NF', 'NS', 'EX', 'MN'), flags).map(
      ([code, list]): Written => ({
        write: (out) => writeMetaStatus(out, code, list),
        reply: { wire: 'meta', kind: 'status', code, flags: list },
      }),
    );
    const metaValue = fc.tuple(flags, body).map(
      ([list, { buffer, start, end: stop }]): Written => ({
        write: (out) => writeMetaValue(out, list, buffer, start, stop),
        reply: plain({ wire: 'meta', kind: 'value', flags: list, buffer, start, end: stop } as Reply),
      }),
    );
    holds(
      fc.oneof(value, stat, number, line, end, status, metaValue),
      (out, item) => item.write(out),
      (bytes, cuts) => decodeAll(createTextReplyDecoder(), bytes, cuts),
      (decoded, items) => expect(decoded).toEqual(items.map((item) => item.reply)),
    );
  });

  it('binary', () => {
    const origin = fc.record({
      opcode: fc.nat(0x24).filter((code) => code !== 5 && code !== 6),
      opaque: uint32,
    });
    const value = fc.tuple(origin, uint32, fc.oneof(fc.constant(''), anyKey), body, uint64).map(
      ([from, flags, name, { buffer, start, end }, cas]): Written => ({
        write: (out) => writeBinaryValue(out, from, flags, name, buffer, start, end, cas),
        reply: { ...from, status: 0, cas, key: name, flags, body: buffer.toString('latin1', start, end) },
      }),
    );
    const other = fc.tuple(origin, fc.nat(0xffff), uint64, fc.uint8Array({ maxLength: 40 })).map(
      ([from, status, cas, bytes]): Written => ({
        write: (out) => writeBinaryReply(out, from, { status, cas, value: Buffer.from(bytes) }),
        reply: {
          ...from,
          status,
          cas,
          key: '',
          flags: undefined,
          body: Buffer.from(bytes).toString('latin1'),
        },
      }),
    );
    holds(
      fc.oneof(value, other),
      (out, item) => item.write(out),
      (bytes, cuts) => decodeAll(createBinaryReplyDecoder(), bytes, cuts),
      (decoded, items) => expect(decoded).toMatchObject(items.map((item) => item.reply)),
    );
  });
});
