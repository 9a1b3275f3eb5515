import { describe, expect, it } from 'vitest';
import { decodeAll, everyByte, latin1 } from '../../../test/support.ts';
import {
  createRequestDecoder,
  ERRORS,
  type ErrorCode,
  type MetaGet,
  metaQuiet,
  metaReturnFlags,
  Output,
  writeMetaDebug,
  writeMetaStatus,
  writeMetaValue,
} from '../index.ts';

function decode(text: string): Record<string, unknown>[] {
  const bytes = latin1(text);
  const whole = decodeAll(createRequestDecoder(), bytes);
  expect(decodeAll(createRequestDecoder(), bytes, everyByte(bytes))).toEqual(whole);
  return whole;
}

const bad = (reason: ErrorCode, fatal = false): object => ({
  wire: 'meta',
  kind: 'bad',
  reason,
  fatal,
  noreply: false,
  opcode: 0,
  opaque: 0,
});

describe('meta commands', () => {
  it('mg says what is asked, in the order asked', () => {
    expect(decode('mg foo t f v Oabc q k T30 N60 R10 E9\r\n')).toEqual([
      {
        wire: 'meta',
        kind: 'mg',
        key: 'foo',
        base64: false,
        flags: ['t', 'f', 'v', 'Oabc', 'q', 'k', 'T30', 'N60', 'R10', 'E9'],
        quiet: true,
        opaque: 'abc',
        value: true,
        exptime: 30,
        vivify: 60,
        recache: 10,
        newCas: 9,
        batch: undefined,
      },
    ]);
    expect(decode('mg foo\r\n')[0]).toMatchObject({
      value: false,
      quiet: false,
      flags: [],
      opaque: undefined,
    });
  });

  it('ms brings its body, its mode and its numbers', () => {
    expect(decode('ms foo 2 T90 F1 MA C18446744073709551615 I N5\r\nhi\r\n')).toEqual([
      {
        wire: 'meta',
        kind: 'ms',
        key: 'foo',
        base64: false,
        flags: ['T90', 'F1', 'MA', 'C18446744073709551615', 'I', 'N5'],
        quiet: false,
        opaque: undefined,
        mode: 'append',
        clientFlags: 1,
        exptime: 90,
        cas: 18_446_744_073_709_551_615n,
        newCas: undefined,
        invalidate: true,
        vivify: 5,
        delayMs: 0,
        priority: undefined,
        id: undefined,
        body: 'hi',
      },
    ]);
    expect(decode('ms foo 0\r\n\r\n')[0]).toMatchObject({
      mode: 'set',
      clientFlags: 0,
      exptime: 0,
      body: '',
    });
  });

  it('md, ma, mn and me', () => {
    expect(decode('md foo q I T5 x\r\n')[0]).toMatchObject({
      quiet: true,
      invalidate: true,
      exptime: 5,
      removeValue: true,
    });
    expect(decode('ma foo\r\n')[0]).toMatchObject({ mode: 'incr', delta: 1, initial: 0 });
    expect(decode('ma foo MD D5 J10 N0 v\r\n')[0]).toMatchObject({
      mode: 'decr',
      delta: 5,
      initial: 10,
      vivify: 0,
      value: true,
    });
    expect(decode('mn\r\nmn \r\n')).toEqual([
      { wire: 'meta', kind: 'mn' },
      { wire: 'meta', kind: 'mn' },
    ]);
    expect(decode('me foo\r\n')[0]).toMatchObject({ kind: 'me', key: 'foo' });
  });

  it('ms, mg, md and ma have what queues need', () => {
    expect(decode('ms q 1 D1500 P0 Uorder-1\r\nx\r\n')[0]).toMatchObject({
      mode: 'set',
      delayMs: 1500,
      priority: 0,
      id: 'order-1',
    });
    expect(decode('ms q 2 MC\r\n{}\r\n')[0]).toMatchObject({ mode: 'configure', body: '{}' });
    expect(decode('mg q/open v B16\r\n')[0]).toMatchObject({ batch: 16 });
    expect(decode('md q B16\r\n')[0]).toMatchObject({ batch: 16, cas: undefined });
    expect(decode('ma q MA C7 D500\r\n')[0]).toMatchObject({ mode: 'abort', cas: 7, delayMs: 500 });
    const modes = ['MB', 'MT', 'MP', 'MR', 'MF', 'MC'].map((mode) => decode(`ma q ${mode}\r\n`)[0]!.mode);
    expect(modes).toEqual(['bury', 'touch', 'pause', 'resume', 'flush', 'configure']);
    expect(decode('ma q MV B5 Kto\r\n')[0]).toMatchObject({ mode: 'move', batch: 5, target: 'to' });
    const named = Buffer.from('a b').toString('base64');
    expect(decode(`ma ${named} b MV K${named}\r\n`)[0]).toMatchObject({ key: 'a b', target: 'a b' });
  });

  it('refuses delays, priorities, ids and batches that can’t be; leaves a P of a proxy alone', () => {
    const refused = ['D-1', 'Dx', 'P10', 'U', `U${'i'.repeat(65)}`, 'B0', 'B', 'K'];
    for (const flag of refused) {
      expect(decode(`ms q 1 ${flag}\r\nx\r\n`), flag).toEqual([bad('bad_token')]);
    }
    expect(decode('ma a*b b MV Ka*b\r\n')).toEqual([bad('bad_base64')]);
    expect(decode('ms q 1 P/path\r\nx\r\n')[0]).toMatchObject({ priority: undefined, body: 'x' });
    expect(decode(`ms q 1 U${'i'.repeat(64)}\r\nx\r\n`)[0]).toMatchObject({ id: 'i'.repeat(64) });
  });

  it('shares a connection with text commands, as dalli 4 uses it', () => {
    expect(decode('version\r\nms q 1 q\r\nx\r\nget q\r\nmn\r\n').map((request) => request.kind)).toEqual([
      'line',
      'ms',
      'get',
      'mn',
    ]);
  });

  it('decodes a key in base64, with any bytes in it', () => {
    const key = Buffer.from('a b\r\n\xff', 'latin1').toString('base64');
    expect(decode(`mg ${key} b v\r\n`)[0]).toMatchObject({ key: 'a b\r\n\xff', base64: true });
    const long = Buffer.alloc(250, 'k').toString('base64');
    expect(decode(`ms ${long} 1 b\r\nx\r\n`)[0]).toMatchObject({ key: 'k'.repeat(250), body: 'x' });
  });

  it('refuses what is not base64, and a key that is too long in it', () => {
    expect(decode('mg a*b b\r\nmg abc b\r\nmn\r\n')).toEqual([
      bad('bad_base64'),
      bad('bad_base64'),
      { wire: 'meta', kind: 'mn' },
    ]);
    expect(decode(`md ${Buffer.alloc(251, 'k').toString('base64')} b\r\n`)).toEqual([bad('key_too_long')]);
  });

  it('refuses bad flags and goes on', () => {
    expect(decode('mg k v v\r\nmg k !\r\nmg k Tsoon\r\nmg k\r\nmg\r\n').slice(0, 3)).toEqual([
      bad('duplicate_flag'),
      bad('bad_flag'),
      bad('bad_token'),
    ]);
    expect(decode('mg\r\nma k MX\r\nmd k Cx\r\n')).toEqual([
      bad('missing_arguments'),
      bad('bad_token'),
      bad('bad_token'),
    ]);
    expect(decode(`mg k O${'o'.repeat(33)}\r\n`)).toEqual([bad('opaque_too_long')]);
    expect(decode(`mg k${' v'.repeat(25)}\r\n`)).toEqual([bad('too_many_flags')]);
    expect(ERRORS.duplicate_flag.text).toMatch(/^CLIENT_ERROR /);
  });

  it('passes over the body of a refused ms, and finds the next command', () => {
    const next = { wire: 'meta', kind: 'mn' };
    expect(decode('ms k 3 MX\r\nabc\r\nmn\r\n')).toEqual([bad('bad_token'), next]);
    expect(decode(`ms ${'k'.repeat(251)} 3\r\nabc\r\nmn\r\n`)).toEqual([bad('key_too_long'), next]);
    expect(decode('ms k 3\r\nabcdef\r\nmn\r\n')).toEqual([bad('bad_data_chunk'), next]);
  });

  it('closes when an ms does not say where its body ends', () => {
    expect(decode('ms k\r\nmn\r\n')).toEqual([bad('missing_arguments', true)]);
    expect(decode('ms k x\r\nmn\r\n')).toEqual([bad('bad_data_chunk', true)]);
  });
});

describe('meta replies', () => {
  const request = (text: string): MetaGet => {
    const decoder = createRequestDecoder();
    decoder.push(latin1(text));
    return decoder.next() as MetaGet;
  };
  const written = (write: (out: Output) => void): string => {
    const out = new Output();
    write(out);
    return Buffer.concat(out.take()).toString('latin1');
  };

  it('return flags come in the order of the request', () => {
    const facts = {
      clientFlags: 1,
      size: 2,
      ttl: -1,
      cas: 7,
      hit: true,
      lastAccess: 4,
      stale: true,
      recache: 'W',
    } as const;
    expect(metaReturnFlags(request('mg foo t f s c h l k O9 v q\r\n'), facts)).toEqual([
      't-1',
      'f1',
      's2',
      'c7',
      'h1',
      'l4',
      'kfoo',
      'O9',
      'W',
      'X',
    ]);
    expect(metaReturnFlags(request('mg foo t k O9\r\n'))).toEqual(['kfoo', 'O9']);
  });

  it('tell of a message what queues know of it', () => {
    const facts = { deliveries: 2, priority: 5, id: 'x', origin: 'a b', duplicate: true } as const;
    expect(metaReturnFlags(request('mg q v d p u o\r\n'), facts)).toEqual(['d2', 'p5', 'ux', 'oYSBi', 'U']);
    expect(metaReturnFlags(request('mg q v o u\r\n'), { origin: 'orders' })).toEqual(['oorders']);
    expect(metaReturnFlags(request('mg cQ== b o\r\n'), { origin: 'orders' })).toEqual(['ob3JkZXJz']);
  });

  it('a key that came in base64 goes back in base64', () => {
    expect(metaReturnFlags(request('mg Zm9v b k\r\n'))).toEqual(['kZm9v', 'b']);
    expect(written((out) => writeMetaDebug(out, request('me Zm9v b\r\n'), { exp: -1, size: 3 }))).toBe(
      'ME Zm9v exp=-1 size=3\r\n',
    );
  });

  it('are written as they stand in the protocol', () => {
    expect(written((out) => writeMetaStatus(out, 'HD'))).toBe('HD\r\n');
    expect(written((out) => writeMetaStatus(out, 'NF', ['O1']))).toBe('NF O1\r\n');
    expect(written((out) => writeMetaValue(out, ['s2', 't78'], latin1('_hi_'), 1, 3))).toBe(
      'VA 2 s2 t78\r\nhi\r\n',
    );
  });

  it('quiet leaves out the ordinary outcome and nothing else', () => {
    expect([metaQuiet('mg', 'EN'), metaQuiet('mg', 'HD')]).toEqual([true, false]);
    expect([metaQuiet('ms', 'HD'), metaQuiet('ms', 'NS'), metaQuiet('ms', 'EX')]).toEqual([
      true,
      false,
      false,
    ]);
    expect([metaQuiet('md', 'HD'), metaQuiet('md', 'NF'), metaQuiet('md', 'EX')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([metaQuiet('ma', 'HD'), metaQuiet('ma', 'NF'), metaQuiet('mn', 'MN')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
