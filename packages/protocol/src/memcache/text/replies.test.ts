import { describe, expect, it } from 'vitest';
import { decodeAll, everyByte, latin1 } from '../../../test/support.ts';
import {
  createTextReplyDecoder,
  EncodeError,
  Output,
  REFERENCE_BYTES,
  writeMetaRequest,
  writeTextError,
  writeTextLine,
  writeTextNumber,
  writeTextRequest,
  writeTextStat,
  writeTextStatus,
  writeTextValue,
} from '../index.ts';

const written = (write: (out: Output) => void): string => {
  const out = new Output();
  write(out);
  const bytes = out.bytes;
  const text = Buffer.concat(out.take()).toString('latin1');
  expect(text).toHaveLength(bytes);
  return text;
};

describe('text replies', () => {
  it('are written as memcached writes them', () => {
    const body = latin1('_abc_');
    expect(written((out) => writeTextValue(out, 'q', 4, body, 1, 4))).toBe('VALUE q 4 3\r\nabc\r\n');
    expect(written((out) => writeTextValue(out, 'q', 0, body, 1, 1, 12))).toBe('VALUE q 0 0 12\r\n\r\n');
    expect(written((out) => writeTextValue(out, 'q', 4_294_967_295, body, 1, 4, 2 ** 53 - 1))).toBe(
      'VALUE q 4294967295 3 9007199254740991\r\nabc\r\n',
    );
    expect(written((out) => writeTextStatus(out, 'STORED'))).toBe('STORED\r\n');
    expect(written((out) => writeTextError(out, 'body_too_large'))).toBe(
      'SERVER_ERROR object too large for cache\r\n',
    );
    expect(written((out) => writeTextStat(out, 'pid', 12))).toBe('STAT pid 12\r\n');
    expect(written((out) => writeTextNumber(out, 10))).toBe('10\r\n');
    expect(written((out) => writeTextLine(out, 'VERSION 1.2.3'))).toBe('VERSION 1.2.3\r\n');
  });

  it('can’t be broken by what a peer put into a name', () => {
    expect(written((out) => writeTextStat(out, 'a\r\nEND', 'b\n'))).toBe('STAT a END b \r\n');
    expect(written((out) => writeTextLine(out, 'x\r\nSTORED'))).toBe('x STORED\r\n');
  });

  it('decode: numbers with padding, statistics, errors, and the lines of Kestrel', () => {
    const bytes = latin1(
      "12  \r\nSTAT a b c\r\nSTAT empty \r\nERROR\r\nCLIENT_ERROR bad thing\r\nEND\r\nFlushed all queues.\r\n  items=3\r\nqueue 'q' {\r\n18446744073709551615\r\n99999999999999999999999\r\n",
    );
    const replies = decodeAll(createTextReplyDecoder(), bytes);
    expect(decodeAll(createTextReplyDecoder(), bytes, everyByte(bytes))).toEqual(replies);
    expect(replies).toEqual([
      { wire: 'text', kind: 'number', value: 12 },
      { wire: 'text', kind: 'stat', name: 'a', value: 'b c' },
      { wire: 'text', kind: 'stat', name: 'empty', value: '' },
      { wire: 'text', kind: 'error', error: 'ERROR', message: '' },
      { wire: 'text', kind: 'error', error: 'CLIENT_ERROR', message: 'bad thing' },
      { wire: 'text', kind: 'end' },
      { wire: 'text', kind: 'line', text: 'Flushed all queues.' },
      { wire: 'text', kind: 'line', text: '  items=3' },
      { wire: 'text', kind: 'line', text: "queue 'q' {" },
      { wire: 'text', kind: 'number', value: 18_446_744_073_709_551_615n },
      { wire: 'text', kind: 'line', text: '99999999999999999999999' },
    ]);
  });

  it('decode: what is no reply ends the connection', () => {
    const reason = (text: string): unknown =>
      decodeAll(createTextReplyDecoder({ body: 100 }), latin1(text)).at(-1)?.reason;
    expect(reason('VALUE q x 3\r\n')).toBe('bad_line');
    expect(reason('VALUE q 0 -3\r\n')).toBe('bad_line');
    expect(reason('VA x\r\n')).toBe('bad_line');
    expect(reason('VALUE q 0 101\r\n')).toBe('body_too_large');
    expect(reason('VALUE q 0 3\r\nabcdef\r\n')).toBe('bad_data_chunk');
    expect(reason('x'.repeat(70_000))).toBe('line_too_long');
    const decoder = createTextReplyDecoder();
    decoder.push(latin1('VALUE q x 3\r\nEND\r\n'));
    expect([decoder.next()?.kind, decoder.next(), decoder.bufferedBytes]).toEqual(['bad', undefined, 0]);
  });
});

describe('requests that can’t be sent', () => {
  const code = (write: (out: Output) => void): unknown => {
    try {
      write(new Output());
      return undefined;
    } catch (error) {
      return error instanceof EncodeError ? error.code : error;
    }
  };
  const get = { wire: 'text', kind: 'get', verb: 'get', exptime: undefined } as const;
  const set = {
    wire: 'text',
    kind: 'store',
    verb: 'set',
    key: 'q',
    flags: 0,
    exptime: 0,
    cas: undefined,
    noreply: false,
    buffer: latin1(''),
    start: 0,
    end: 0,
  } as const;

  it('throw, and write nothing that a server could take for a command', () => {
    expect(code((out) => writeTextRequest(out, { ...get, keys: ['a b'] }))).toBe('invalid_key');
    expect(code((out) => writeTextRequest(out, { ...get, keys: ['a\r\nflush_all'] }))).toBe('invalid_key');
    expect(code((out) => writeTextRequest(out, { ...get, keys: ['\u20ac'] }))).toBe('invalid_key');
    expect(code((out) => writeTextRequest(out, { ...get, keys: [] }))).toBe('invalid_command');
    expect(code((out) => writeTextRequest(out, { ...set, key: 'k'.repeat(251) }))).toBe('invalid_key');
    expect(code((out) => writeTextRequest(out, { ...set, flags: 2 ** 32 }))).toBe('invalid_number');
    expect(code((out) => writeTextRequest(out, { ...set, exptime: 1.5 }))).toBe('invalid_number');
    expect(code((out) => writeTextRequest(out, { ...set, verb: 'cas' }))).toBe('invalid_number');
    expect(code((out) => writeMetaRequest(out, { kind: 'mg', key: 'a b', flags: [] }))).toBe('invalid_key');
    expect(code((out) => writeMetaRequest(out, { kind: 'mg', key: 'a', flags: ['O 1'] }))).toBe(
      'invalid_token',
    );
    expect(code((out) => writeMetaRequest(out, { kind: 'mg', key: 'a', flags: ['b'] }))).toBe(
      'invalid_command',
    );
  });
});

describe('output', () => {
  it('references a large body and copies a small one', () => {
    const large = Buffer.alloc(REFERENCE_BYTES, 'x');
    const out = new Output();
    writeTextValue(out, 'q', 0, large, 0, large.length);
    const chunks = out.take();
    expect(chunks).toHaveLength(3);
    expect(chunks[1]!.buffer).toBe(large.buffer);
    writeTextValue(out, 'q', 0, large, 0, large.length - 1);
    expect(out.take().some((chunk) => chunk.buffer === large.buffer)).toBe(false);
  });

  it('never writes again to what was taken', () => {
    const out = new Output(64);
    const taken: Buffer[] = [];
    let expected = '';
    for (let round = 0; round < 200; round++) {
      const text = `line ${round} ${'x'.repeat(round % 40)}`;
      writeTextLine(out, text);
      expected += `${text}\r\n`;
      if (round % 3 === 0) taken.push(...out.take());
    }
    taken.push(...out.take());
    expect(Buffer.concat(taken).toString()).toBe(expected);
    expect([out.bytes, out.take()]).toEqual([0, []]);
  });

  it('uses room again when it is told that nobody holds it, and not before all is taken', () => {
    const out = new Output();
    writeTextLine(out, 'first');
    const [first] = out.take();
    out.reuse();
    writeTextLine(out, 'other');
    out.reuse();
    const [other] = out.take();
    expect(other!.toString()).toBe('other\r\n');
    expect(first!.buffer).toBe(other!.buffer);
    writeTextLine(out, 'behind it');
    expect(Buffer.concat([other!, ...out.take()]).toString()).toBe('other\r\nbehind it\r\n');
  });

  it('copies bodies of every length from any place of any buffer', () => {
    const out = new Output(2048);
    const expected: Buffer[] = [];
    const taken: Buffer[] = [];
    for (let length = 0; length < 1000; length++) {
      const body = Buffer.from(Array.from({ length: length + 9 }, (_, at) => (at * 7 + length) & 255));
      const part = body.subarray(length % 5);
      out.body(part, 1, 1 + length);
      out.body(part, 0, Math.min(3, length));
      expected.push(part.subarray(1, 1 + length), part.subarray(0, Math.min(3, length)));
      taken.push(...out.take());
    }
    expect(Buffer.concat(taken).equals(Buffer.concat(expected))).toBe(true);
  });

  it('names each value rightly, however those before it were named', () => {
    const out = new Output();
    const body = Buffer.from('0123456789');
    let expected = '';
    for (const [key, flags, length, cas] of [
      ['q', 0, 3],
      ['q', 0, 3],
      ['q', 0, 3],
      ['q', 1, 3],
      ['p', 1, 3],
      ['p', 1, 4],
      ['p', 1, 4, 9],
      ['p', 1, 4],
      ['p', 1, 4],
    ] as const) {
      writeTextValue(out, key, flags, body, 0, length, cas);
      const unique = cas === undefined ? '' : ` ${cas}`;
      expected += `VALUE ${key} ${flags} ${length}${unique}\r\n${body.toString('latin1', 0, length)}\r\n`;
    }
    expect(Buffer.concat(out.take()).toString()).toBe(expected);
  });
});
