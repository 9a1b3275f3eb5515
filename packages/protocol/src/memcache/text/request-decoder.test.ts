import { describe, expect, it } from 'vitest';
import { decodeAll, everyByte, latin1 } from '../../../test/support.ts';
import { createRequestDecoder, ERRORS, type Limits } from '../index.ts';

/** Decodes whole and byte by byte: both must give the same. */
function decode(text: string, limits?: Partial<Limits>): Record<string, unknown>[] {
  const bytes = latin1(text);
  const whole = decodeAll(createRequestDecoder(limits), bytes);
  const pieces = decodeAll(createRequestDecoder(limits), bytes, everyByte(bytes));
  expect(pieces).toEqual(whole);
  return whole;
}

const get = (...keys: string[]): object => ({
  wire: 'text',
  kind: 'get',
  verb: 'get',
  keys,
  exptime: undefined,
});
const line = (verb: string, args: string[] = [], noreply = false): object => ({
  wire: 'text',
  kind: 'line',
  verb,
  args,
  noreply,
});
const store = (over: object): object => ({
  wire: 'text',
  kind: 'store',
  verb: 'set',
  key: 'q',
  flags: 0,
  exptime: 0,
  cas: undefined,
  noreply: false,
  body: '',
  ...over,
});
const bad = (reason: keyof typeof ERRORS, fatal = false, noreply = false): object => ({
  wire: 'text',
  kind: 'bad',
  reason,
  fatal,
  noreply,
  opcode: 0,
  opaque: 0,
});

describe('reads', () => {
  it('takes one key, many keys, and any case of the verb', () => {
    expect(decode('get q\r\nGET q\r\nget a b c\r\n')).toEqual([get('q'), get('q'), get('a', 'b', 'c')]);
    expect(decode('GetS q\r\n')).toEqual([{ ...get('q'), verb: 'gets' }]);
  });

  it("leaves Kestrel's options in the key", () => {
    expect(decode('get q/close/open/t=500\r\n')).toEqual([get('q/close/open/t=500')]);
  });

  it('takes options on top of a name of 250 bytes, and no more than that', () => {
    const name = 'n'.repeat(250);
    expect(decode(`get ${name}/open/t=500\r\n`)).toEqual([get(`${name}/open/t=500`)]);
    expect(decode(`get ${'n'.repeat(314)}\r\nget ${'n'.repeat(315)}\r\nget q\r\n`)).toEqual([
      get('n'.repeat(314)),
      bad('key_too_long'),
      get('q'),
    ]);
  });

  it('takes the two spaces of python-memcached and the trailing space of Cache::Memcached', () => {
    expect(decode('get  q\r\nget q \r\n get q\r\n')).toEqual([get('q'), get('q'), get('q')]);
  });

  it('takes a bare line feed', () => {
    expect(decode('get q\nget r\n')).toEqual([get('q'), get('r')]);
  });

  it('takes get and touch with its time', () => {
    expect(decode('gat 30 a b\r\ngats -1 a\r\ngat soon a\r\ngat 30\r\n')).toEqual([
      { ...get('a', 'b'), verb: 'gat', exptime: 30 },
      { ...get('a'), verb: 'gats', exptime: -1 },
      bad('bad_exptime'),
      bad('missing_arguments'),
    ]);
  });

  it('answers ERROR to a get without a key, which panics Siberite, and goes on', () => {
    expect(decode('get\r\nget \r\nget q\r\n')).toEqual([
      bad('missing_arguments'),
      bad('missing_arguments'),
      get('q'),
    ]);
    expect(ERRORS.missing_arguments.text).toBe('ERROR');
  });

  it('keeps every byte of a key above the space', () => {
    const key = Array.from({ length: 0xff - 0x20 }, (_, index) => String.fromCharCode(0x21 + index)).join('');
    expect(decode(`get ${key}\r\n`)).toEqual([get(key)]);
  });

  it('refuses control characters in a key', () => {
    expect(decode('get a\tb\r\nget a\rb\r\nget a\0\r\nget q\r\n')).toEqual([
      bad('bad_key'),
      bad('bad_key'),
      bad('bad_key'),
      get('q'),
    ]);
  });

  it('takes as many keys as the limit says', () => {
    expect(
      decode('get a b\r\nget a b c\r\nget a b c d e f\r\ngat 1 a b\r\ngat 1 a b c\r\n', { keys: 2 }),
    ).toEqual([
      get('a', 'b'),
      bad('too_many_keys'),
      bad('too_many_keys'),
      { ...get('a', 'b'), verb: 'gat', exptime: 1 },
      bad('too_many_keys'),
    ]);
  });
});

describe('writes', () => {
  it('takes flags as the stock clients send them', () => {
    for (const flags of [0, 1, 2, 4, 8, 16, 80, 768, 4_294_967_295]) {
      expect(decode(`set q ${flags} 0 1\r\nx\r\n`)).toEqual([store({ flags, body: 'x' })]);
    }
  });

  it('takes any bytes in the body, line ends too', () => {
    expect(decode('set q 0 0 9\r\nget a\r\n\0\xff\r\n')).toEqual([store({ body: 'get a\r\n\0\xff' })]);
  });

  it('takes an empty body', () => {
    expect(decode('set q 0 0 0\r\n\r\nget q\r\n')).toEqual([store({}), get('q')]);
  });

  it('takes exptimes as they come', () => {
    expect(decode('set q 0 -1 1\r\nx\r\nadd q 0 2678400 1\r\nx\r\n')).toEqual([
      store({ exptime: -1, body: 'x' }),
      store({ verb: 'add', exptime: 2_678_400, body: 'x' }),
    ]);
  });

  it("takes pymemcache's noreply followed at once by the next command", () => {
    expect(decode('set q 0 0 1 noreply\r\nx\r\nset q 0 0 1\r\ny\r\nget q\r\n')).toEqual([
      store({ noreply: true, body: 'x' }),
      store({ body: 'y' }),
      get('q'),
    ]);
  });

  it('takes memcexist’s empty add, spaces, and a bare line feed behind the command', () => {
    expect(decode('add k 0 2678400 0\r\n\r\nset  q  0  0  1 \r\nx\r\nset q 0 0 1\nx\r\n')).toEqual([
      store({ verb: 'add', key: 'k', exptime: 2_678_400 }),
      store({ body: 'x' }),
      store({ body: 'x' }),
    ]);
  });

  it('takes numbers with leading zeros, up to twenty digits, whatever the split', () => {
    expect(decode(`set q ${'0'.repeat(20)} 0 1\r\nx\r\n`)).toEqual([store({ body: 'x' })]);
    expect(decode(`set q ${'0'.repeat(21)} 0 1\r\nx\r\nget q\r\n`)).toEqual([bad('bad_line'), get('q')]);
    expect(decode(`set q 0 9007199254740991 1\r\nx\r\n`)).toEqual([
      store({ exptime: 2 ** 53 - 1, body: 'x' }),
    ]);
    expect(decode(`set q 0 9007199254740992 1\r\nx\r\n`)).toEqual([bad('bad_line')]);
  });

  it('takes a cas unique up to 64 bits', () => {
    expect(decode('cas q 0 0 1 7\r\nx\r\ncas q 0 0 1 18446744073709551615 noreply\r\nx\r\n')).toEqual([
      store({ verb: 'cas', cas: 7, body: 'x' }),
      store({ verb: 'cas', cas: 18_446_744_073_709_551_615n, noreply: true, body: 'x' }),
    ]);
  });

  it('leaves the names of several queues, and of a synced write, to the server', () => {
    expect(decode('set a+b+c/sync 0 0 1\r\nx\r\n')).toEqual([store({ key: 'a+b+c/sync', body: 'x' })]);
  });

  it('gives a body that lies in one chunk without copying it', () => {
    const chunk = latin1('set q 0 0 3\r\nabc\r\n');
    const decoder = createRequestDecoder();
    decoder.push(chunk);
    const request = decoder.next();
    expect(request?.kind === 'store' && request.buffer).toBe(chunk);
  });
});

describe('a write that is refused', () => {
  it('is too large: its body is passed over, and the next command is found', () => {
    const body = 'x'.repeat(100);
    expect(decode(`set q 0 0 100\r\n${body}\r\nget q\r\n`, { body: 99 })).toEqual([
      bad('body_too_large'),
      get('q'),
    ]);
  });

  it('is passed over without being kept', () => {
    const decoder = createRequestDecoder({ body: 10 });
    decoder.push(latin1('set q 0 0 1000000\r\n'));
    for (let sent = 0; sent < 1_000_000; sent += 1000) {
      decoder.push(Buffer.alloc(1000, 'x'));
      expect(decoder.next()).toBeUndefined();
      expect(decoder.bufferedBytes).toBe(0);
    }
    decoder.push(latin1('\r\nget q\r\n'));
    expect(decoder.next()).toMatchObject({ kind: 'bad', reason: 'body_too_large' });
    expect(decoder.next()).toEqual(get('q'));
  });

  it('has bad flags, a bad exptime or a bad cas, but a length: the same', () => {
    const next = 'get q\r\n';
    for (const command of [
      'set q x 0 3',
      'set q -1 0 3',
      'set q 4294967296 0 3',
      'set q 0 x 3',
      'cas q 0 0 3 x',
    ]) {
      expect(decode(`${command}\r\nabc\r\n${next}`)).toEqual([bad('bad_line'), get('q')]);
    }
  });

  it('has a key of more than 250 bytes, or one with control characters: the same', () => {
    expect(decode(`set ${'k'.repeat(251)} 0 0 3\r\nabc\r\nget q\r\n`)).toEqual([
      bad('key_too_long'),
      get('q'),
    ]);
    expect(decode(`set ${'k'.repeat(250)} 0 0 3\r\nabc\r\n`)).toEqual([
      store({ key: 'k'.repeat(250), body: 'abc' }),
    ]);
    expect(decode('set a\tb 0 0 3\r\nabc\r\nget q\r\n')).toEqual([bad('bad_key'), get('q')]);
    expect(ERRORS.key_too_long.text).toMatch(/^CLIENT_ERROR /);
  });

  it('says whether it asked for silence', () => {
    expect(decode('set q 0 0 3 noreply\r\nabc\r\n', { body: 2 })).toEqual([
      bad('body_too_large', false, true),
    ]);
    expect(decode('set q x 0 3 noreply\r\nabc\r\n')).toEqual([bad('bad_line', false, true)]);
  });

  it('does not say where its body ends: closes, so that a value can never run as commands', () => {
    for (const command of ['set q 0 0', 'set q', 'set', 'cas q 0 0 3']) {
      expect(decode(`${command}\r\nflush_all\r\n`)).toEqual([bad('missing_arguments', true)]);
    }
    for (const tabbed of ['set q\t0 0 3', 'set q 0\t0 3', 'set q 0 0\t3']) {
      expect(decode(`${tabbed}\r\nabc\r\n`)).toEqual([bad('missing_arguments', true)]);
    }
    for (const command of [
      'set q 0 0 2147483646',
      'set q 0 0 x',
      'set q 0 0 -1',
      'set q 0 0 2147483648',
      'set q r 0 0 3',
      'set q 0 0 3 no',
    ]) {
      expect(decode(`${command}\r\nflush_all\r\n`)).toEqual([bad('bad_line', true)]);
    }
  });

  it('has a body longer than announced: one error, then on behind the line (this wedges Starling)', () => {
    expect(decode('set q 0 0 3\r\nabcdef\r\nget q\r\n')).toEqual([bad('bad_data_chunk'), get('q')]);
    expect(decode('set q 0 0 3\r\nabc\rdef\r\nget q\r\n')).toEqual([bad('bad_data_chunk'), get('q')]);
    expect(decode('set q 0 0 3\r\nabc\nget q\r\n')).toEqual([bad('bad_data_chunk'), get('q')]);
    expect(decode('set q 0 0 3 noreply\r\nabcdef\r\nget q\r\n')).toEqual([
      bad('bad_data_chunk', false, true),
      get('q'),
    ]);
  });

  it('lets go of the body as soon as it is known to be wrong', () => {
    const decoder = createRequestDecoder();
    for (const part of ['set q 0 0 3\r\na', 'bc', 'def']) decoder.push(latin1(part));
    expect([decoder.next(), decoder.bufferedBytes]).toEqual([undefined, 0]);
    decoder.push(latin1('\r\n'));
    expect([decoder.next(), decoder.bufferedBytes]).toEqual([bad('bad_data_chunk'), 0]);
  });

  it('has a body shorter than announced: one error, then on behind the line that it ended in', () => {
    expect(decode('set q 0 0 5\r\nabc\r\nget a\r\nget q\r\n')).toEqual([bad('bad_data_chunk'), get('q')]);
  });
});

describe('other lines', () => {
  it('takes the stock clients’ variants', () => {
    expect(
      decode('stats \r\nstats malloc\r\nflush_all \r\nflush_all 0\r\nflush_all 0 noreply\r\nversion\r\n'),
    ).toEqual([
      line('stats'),
      line('stats', ['malloc']),
      line('flush_all'),
      line('flush_all', ['0']),
      line('flush_all', ['0'], true),
      line('version'),
    ]);
  });

  it('takes delete, touch, incr and verbosity with noreply', () => {
    expect(
      decode('delete q noreply\r\ndelete q 0\r\ntouch q 10\r\nincr q 1 noreply\r\nverbosity 1 noreply\r\n'),
    ).toEqual([
      line('delete', ['q'], true),
      line('delete', ['q', '0']),
      line('touch', ['q', '10']),
      line('incr', ['q', '1'], true),
      line('verbosity', ['1'], true),
    ]);
  });

  it("takes Kestrel's commands, where noreply is a name like any other", () => {
    expect(
      decode(
        'FLUSH q\r\nflush noreply\r\ndump_stats a b\r\nmonitor q 10 5\r\nconfirm q 2\r\nstatus READONLY\r\n',
      ),
    ).toEqual([
      line('flush', ['q']),
      line('flush', ['noreply']),
      line('dump_stats', ['a', 'b']),
      line('monitor', ['q', '10', '5']),
      line('confirm', ['q', '2']),
      line('status', ['READONLY']),
    ]);
  });

  it('hands unknown verbs to the server', () => {
    expect(decode('EHLO example.org\r\n')).toEqual([line('ehlo', ['example.org'])]);
  });

  it('answers an empty line with ERROR', () => {
    expect(decode('\r\n \r\nget q\r\n')).toEqual([bad('empty_line'), bad('empty_line'), get('q')]);
  });

  it('refuses a key of more than 250 bytes where a key stands', () => {
    expect(decode(`delete ${'k'.repeat(251)}\r\ntouch ${'k'.repeat(251)} 1 noreply\r\n`)).toEqual([
      bad('key_too_long'),
      bad('key_too_long', false, true),
    ]);
  });
});

describe('a line without end', () => {
  it('is refused past its limit, and nothing is read after it', () => {
    expect(decode(`${'x'.repeat(3000)}\r\nget q\r\n`)).toEqual([bad('line_too_long', true)]);
    const decoder = createRequestDecoder();
    for (let sent = 0; sent < 3000; sent++) decoder.push(latin1('x'));
    expect(decoder.next()).toEqual(bad('line_too_long', true));
    decoder.push(latin1('get q\r\n'));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('may be 64 KiB long if it is a get with many keys', () => {
    const keys = Array.from({ length: 1500 }, (_, index) => `key-${index}-${'x'.repeat(30)}`);
    expect(decode(`get ${keys.join(' ')}\r\n`)).toEqual([get(...keys)]);
    expect(decode(`gets ${'k '.repeat(40_000)}\r\n`)).toEqual([bad('line_too_long', true)]);
  });

  it('is found in the same place for every split, at the limit and one past it', () => {
    const limits = { line: 40, getLine: 60 };
    expect(decode(`${'x'.repeat(40)}\n`, limits)).toHaveLength(1);
    expect(decode(`${'x'.repeat(41)}\n`, limits)).toEqual([bad('line_too_long', true)]);
    expect(decode(`get ${'x'.repeat(55)}\r\n`, limits)).toEqual([get('x'.repeat(55))]);
    expect(decode(`get ${'x'.repeat(56)}\r\n`, limits)).toEqual([bad('line_too_long', true)]);
    expect(decode(`set ${'x'.repeat(29)} 0 0 0\r\n\r\n`, limits)).toEqual([store({ key: 'x'.repeat(29) })]);
    expect(decode(`set ${'x'.repeat(30)} 0 0 0\r\n\r\n`, limits)).toEqual([bad('line_too_long', true)]);
  });
});

it('costs nothing to claim a large body', () => {
  const decoder = createRequestDecoder();
  const before = process.memoryUsage().arrayBuffers;
  decoder.push(latin1(`set q 0 0 ${16 * 1024 * 1024}\r\nabc`));
  expect(decoder.next()).toBeUndefined();
  expect(decoder.bufferedBytes).toBe(3);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
});

it('keeps chunks pushed before the earlier ones were read', () => {
  const decoder = createRequestDecoder();
  for (const part of ['get a\r\nse', 't q 0 0 3\r', '\na', 'bc\r\nget b\r\n']) decoder.push(latin1(part));
  expect(decoder.bufferedBytes).toBe(32);
  expect(decoder.next()).toEqual(get('a'));
  expect(decoder.next()).toMatchObject({ kind: 'store' });
  expect(decoder.next()).toEqual(get('b'));
  expect(decoder.next()).toBeUndefined();
  expect(decoder.bufferedBytes).toBe(0);
});

it('keeps the order of chunks where one was read to its end before the next was asked for', () => {
  const decoder = createRequestDecoder();
  decoder.push(latin1('get a\r\n'));
  decoder.push(latin1('get b\r\n'));
  expect(decoder.next()).toEqual(get('a'));
  decoder.push(latin1('get c\r\n'));
  expect([decoder.next(), decoder.next(), decoder.next()]).toEqual([get('b'), get('c'), undefined]);
});

it('stays with text once it began with text', () => {
  const decoder = createRequestDecoder();
  expect(decoder.wire).toBe('unknown');
  expect(decodeAll(decoder, latin1('get q\r\n\x80\x01\r\n'))).toHaveLength(2);
  expect(decoder.wire).toBe('text');
});

describe('a body that is dropped', () => {
  const text = latin1('set q 0 0 8 noreply\r\n12345678\r\nms q 3 Ox\r\nabc\r\nget q\r\n');
  const frame = (body: string): Buffer => {
    const header = Buffer.alloc(24 + 8 + 1);
    header.set([0x80, 0x01, 0, 1, 8]);
    header.writeUInt32BE(9 + body.length, 8);
    header[32] = 0x71;
    return Buffer.concat([header, latin1(body)]);
  };
  const binary = Buffer.concat([frame('12345678'), frame('abc')]);

  it('is refused when it is over, and what is behind it is found, wherever it was cut', () => {
    for (const bytes of [text, binary]) {
      const whole = decodeAll(createRequestDecoder(), bytes);
      let dropped = 0;
      for (let cut = 1; cut < bytes.length; cut += 1) {
        const decoder = createRequestDecoder();
        const found = decodeAll(decoder, bytes.subarray(0, cut));
        const drops = decoder.dropBody('out_of_memory');
        if (drops) {
          dropped += 1;
          expect(decoder.bufferedBytes).toBeLessThanOrEqual(0);
        }
        found.push(...decodeAll(decoder, bytes.subarray(cut)));
        expect(found).toHaveLength(whole.length);
        expect(found.filter(({ reason }) => reason === 'out_of_memory')).toHaveLength(drops ? 1 : 0);
        expect(found.filter((one, at) => JSON.stringify(one) !== JSON.stringify(whole[at]))).toHaveLength(
          drops ? 1 : 0,
        );
      }
      // In each byte of the two bodies, and on text in what ends them.
      expect(dropped).toBeGreaterThanOrEqual(11);
    }
  });
});
