import { describe, expect, it } from 'vitest';
import { decodeAll, everyByte, latin1 } from '../../../test/support.ts';
import {
  type BinaryCommand,
  createBinaryReplyDecoder,
  createRequestDecoder,
  isQuietOpcode,
  loudOpcode,
  Opcode,
  Output,
  Status,
  writeBinaryError,
  writeBinaryNumber,
  writeBinaryOk,
  writeBinaryRequest,
  writeBinaryStat,
  writeBinaryText,
  writeBinaryValue,
} from '../index.ts';

function frames(...commands: BinaryCommand[]): Buffer {
  const out = new Output();
  for (const command of commands) writeBinaryRequest(out, command);
  return Buffer.concat(out.take());
}

function decode(bytes: Buffer): Record<string, unknown>[] {
  const whole = decodeAll(createRequestDecoder(), bytes);
  expect(decodeAll(createRequestDecoder(), bytes, everyByte(bytes))).toEqual(whole);
  return whole;
}

const bad = (reason: string, fatal: boolean, opcode: number, opaque = 0): object => ({
  wire: 'binary',
  kind: 'bad',
  reason,
  fatal,
  noreply: false,
  opcode,
  opaque,
});

describe('binary requests', () => {
  it('an ADD is laid out as in the example of the protocol text', () => {
    const bytes = Buffer.from(
      '800200050800000000000012000000000000000000000000' + 'deadbeef00000e10' + '48656c6c6f' + '576f726c64',
      'hex',
    );
    const command = {
      opcode: Opcode.add,
      key: 'Hello',
      flags: 0xdead_beef,
      exptime: 3600,
      buffer: latin1('World'),
    };
    expect(frames(command)).toEqual(bytes);
    expect(decode(bytes)).toMatchObject([
      { opcode: Opcode.add, key: 'Hello', flags: 0xdead_beef, exptime: 3600, body: 'World' },
    ]);
  });

  it('dalli’s VERSION at connect, and its GETKQ … NOOP', () => {
    const bytes = frames(
      { opcode: Opcode.version },
      { opcode: Opcode.getKQ, key: 'a', opaque: 1 },
      { opcode: Opcode.getKQ, key: 'b', opaque: 0xffff_ffff },
      { opcode: Opcode.noop, opaque: 3 },
    );
    expect(decode(bytes)).toMatchObject([
      { wire: 'binary', kind: 'binary', opcode: Opcode.version, key: '', body: '' },
      { opcode: Opcode.getKQ, key: 'a', opaque: 1 },
      { opcode: Opcode.getKQ, key: 'b', opaque: 0xffff_ffff },
      { opcode: Opcode.noop, opaque: 3 },
    ]);
  });

  it('numbers of 64 bits stay exact', () => {
    const commands = [0, 1, Number.MAX_SAFE_INTEGER, 9_007_199_254_740_992n, 18_446_744_073_709_551_615n].map(
      (cas) => ({
        opcode: Opcode.increment,
        key: 'n',
        cas,
        delta: cas,
        initial: cas,
        exptime: 0xffff_ffff,
      }),
    );
    expect(decode(frames(...commands))).toMatchObject(commands);
  });

  it('a frame of wrong extras, or with no key where one is due, is refused alone', () => {
    const bytes = frames(
      { opcode: Opcode.set, key: 'k', opaque: 5, buffer: latin1('v') },
      { opcode: Opcode.noop },
    );
    bytes[4] = 4;
    expect(decode(bytes)).toMatchObject([bad('bad_extras', false, Opcode.set, 5), { opcode: Opcode.noop }]);
    const get = frames({ opcode: Opcode.get, key: 'k' }, { opcode: Opcode.noop });
    get[3] = 0;
    expect(decode(get)).toMatchObject([bad('bad_key', false, Opcode.get), { opcode: Opcode.noop }]);
  });

  it('a key of more than 250 bytes is refused alone; a read may have options behind it', () => {
    const long = frames({ opcode: Opcode.delete, key: 'k'.repeat(250) }, { opcode: Opcode.noop });
    expect(decode(long)).toHaveLength(2);
    const header = Buffer.from(long.subarray(0, 24));
    header.writeUInt16BE(251, 2);
    header.writeUInt32BE(251, 8);
    expect(decode(Buffer.concat([header, Buffer.alloc(251, 'k'), long.subarray(274)]))).toMatchObject([
      bad('key_too_long', false, Opcode.delete),
      { opcode: Opcode.noop },
    ]);
    expect(decode(frames({ opcode: Opcode.get, key: `${'k'.repeat(250)}/open` }))).toMatchObject([
      { kind: 'binary' },
    ]);
  });

  it('a value over the limit is passed over without being kept', () => {
    const decoder = createRequestDecoder({ body: 10 });
    decoder.push(frames({ opcode: Opcode.set, key: 'k', opaque: 9, buffer: Buffer.alloc(100_000) }));
    decoder.push(frames({ opcode: Opcode.noop }));
    expect(decoder.next()).toEqual(bad('body_too_large', false, Opcode.set, 9));
    expect(decoder.next()).toMatchObject({ opcode: Opcode.noop });
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('lengths that contradict each other close the connection', () => {
    const bytes = frames({ opcode: Opcode.get, key: 'key', opaque: 7 }, { opcode: Opcode.noop });
    bytes.writeUInt32BE(2, 8);
    expect(decode(bytes)).toEqual([bad('bad_frame', true, Opcode.get, 7)]);
  });

  it('a wrong magic closes the connection at its first byte', () => {
    expect(decode(Buffer.concat([frames({ opcode: Opcode.noop }), latin1('g')]))).toMatchObject([
      { opcode: Opcode.noop },
      bad('bad_magic', true, 0),
    ]);
  });

  it('unknown opcodes reach the server', () => {
    expect(decode(frames({ opcode: 0x77, key: 'k', opaque: 1 }))).toMatchObject([
      { opcode: 0x77, key: 'k', opaque: 1 },
    ]);
  });

  it('FLUSH comes with and without a time', () => {
    expect(decode(frames({ opcode: Opcode.flush }, { opcode: Opcode.flushQ, exptime: 10 }))).toMatchObject([
      { exptime: undefined },
      { exptime: 10 },
    ]);
  });

  it('SASL passes mechanism and answer', () => {
    expect(decode(frames({ opcode: Opcode.saslAuth, key: 'PLAIN', buffer: latin1('\0u\0p') }))).toMatchObject(
      [{ opcode: Opcode.saslAuth, key: 'PLAIN', body: '\0u\0p' }],
    );
  });

  it('quiet opcodes are known', () => {
    expect([isQuietOpcode(Opcode.getKQ), loudOpcode(Opcode.getKQ)]).toEqual([true, Opcode.getK]);
    expect([isQuietOpcode(Opcode.set), loudOpcode(Opcode.set)]).toEqual([false, Opcode.set]);
    expect([loudOpcode(Opcode.gatKQ), loudOpcode(Opcode.quitQ), loudOpcode(0x77)]).toEqual([
      Opcode.gatK,
      Opcode.quit,
      0x77,
    ]);
  });
});

describe('binary replies', () => {
  it('come back as they were written', () => {
    const out = new Output();
    const origin = { opcode: Opcode.getK, opaque: 0xdead_beef };
    writeBinaryValue(out, origin, 0xffff_ffff, 'key', latin1('_value_'), 1, 6, 42);
    writeBinaryOk(out, { opcode: Opcode.noop, opaque: 1 });
    writeBinaryError(out, { opcode: Opcode.get, opaque: 2 }, 'not_found');
    writeBinaryNumber(out, { opcode: Opcode.increment, opaque: 3 }, 18_446_744_073_709_551_615n, 5);
    writeBinaryText(out, { opcode: Opcode.version, opaque: 4 }, '1.2.3');
    writeBinaryStat(out, 5, 'uptime', '1');
    const bytes = Buffer.concat(out.take());
    const replies = decodeAll(createBinaryReplyDecoder(), bytes);
    expect(decodeAll(createBinaryReplyDecoder(), bytes, everyByte(bytes))).toEqual(replies);
    expect(replies).toMatchObject([
      {
        opcode: Opcode.getK,
        opaque: 0xdead_beef,
        status: 0,
        cas: 42,
        key: 'key',
        flags: 0xffff_ffff,
        body: 'value',
      },
      { opcode: Opcode.noop, opaque: 1, body: '' },
      { opcode: Opcode.get, status: Status.notFound, body: 'NOT_FOUND' },
      { opcode: Opcode.increment, number: 18_446_744_073_709_551_615n, cas: 5 },
      { opcode: Opcode.version, body: '1.2.3' },
      { opcode: Opcode.stat, opaque: 5, key: 'uptime', body: '1' },
    ]);
  });

  it('that are none close the connection', () => {
    expect(decodeAll(createBinaryReplyDecoder(), latin1('VALUE'))).toMatchObject([
      { reason: 'bad_magic', fatal: true },
    ]);
    const out = new Output();
    writeBinaryText(out, { opcode: Opcode.version, opaque: 4 }, 'x'.repeat(100));
    const bytes = Buffer.concat(out.take());
    const contradictory = Buffer.from(bytes);
    contradictory.writeUInt16BE(101, 2);
    expect(decodeAll(createBinaryReplyDecoder(), contradictory)).toMatchObject([
      { reason: 'bad_frame', fatal: true },
    ]);
    expect(decodeAll(createBinaryReplyDecoder({ body: 99 }), bytes)).toMatchObject([
      { reason: 'body_too_large' },
    ]);
  });
});
