/**
 * Bytes on the wire: the handshake, the refusals and the reply to a join as libspread and Spread's daemon exchanged
 * them (5.0.1, x86-64), the others put together by hand from the protocol's layout.
 */
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  CHOICE,
  clientReads,
  daemonReads,
  decodeAll,
  everyByte,
  HELLO,
  hex,
  ME,
} from '../../test/spread.ts';
import {
  createClientDecoder,
  createDaemonDecoder,
  writeAccept,
  writeAuthenticate,
  writeConnect,
  writeDisconnect,
  writeJoin,
  writeMembership,
  writeMembershipOfOneSet,
  writeMethods,
  writeMulticast,
  writeRefusal,
  writeSelfLeave,
  writeTransition,
} from './index.ts';

const VERSION = { major: 5, minor: 0, patch: 1 };
const name32 = (text: string): string => Buffer.from(text.padEnd(32, '\0'), 'latin1').toString('hex');

describe('connecting', () => {
  it('libspread 5.0.1 as zz, wanting memberships', () => {
    expect(
      decodeAll(createDaemonDecoder(), Buffer.concat([HELLO, CHOICE]), everyByte(Buffer.alloc(97))),
    ).toEqual([
      {
        kind: 'connect',
        version: VERSION,
        priority: 0,
        membership: true,
        name: 'zz',
        choosesMethod: true,
      },
      { kind: 'authenticate', methods: ['NULL'] },
    ]);
    expect(bytesOf((out) => writeConnect(out, { name: 'zz', membership: true }))).toEqual(HELLO);
    expect(bytesOf((out) => writeAuthenticate(out))).toEqual(CHOICE);
  });

  it('the daemon offers NULL, and lets zz in', () => {
    const offered = hex('05 4e554c4c20');
    const accepted = Buffer.concat([hex('01 050001 0d'), Buffer.from(ME)]);
    expect(bytesOf((out) => writeMethods(out, ['NULL']))).toEqual(offered);
    expect(bytesOf((out) => writeAccept(out, VERSION, ME, VERSION))).toEqual(accepted);
    const bytes = Buffer.concat([offered, accepted]);
    for (const cuts of [[], everyByte(bytes)]) {
      expect(decodeAll(createClientDecoder(), bytes, cuts)).toEqual([
        { kind: 'methods', methods: ['NULL'] },
        { kind: 'accepted', version: VERSION, privateGroup: ME },
      ]);
    }
  });

  it.each([
    ['not_unique', 'fa', -6],
    ['illegal_name', 'fb', -5],
    ['version', 'f9', -7],
    ['quota', 'fd', -3],
    ['auth', 'f7', -9],
  ] as const)('a client that is refused for %s is told so in one byte', (refusal, byte, code) => {
    expect(bytesOf((out) => writeRefusal(out, refusal))).toEqual(hex(byte));
    expect(decodeAll(createClientDecoder(), hex(byte), [])).toEqual([{ kind: 'refused', code }]);
    const late = Buffer.concat([hex('05 4e554c4c20'), hex(byte), hex(byte)]);
    expect(decodeAll(createClientDecoder(), late, everyByte(late)).slice(1)).toEqual([
      { kind: 'refused', code },
    ]);
  });

  it('version 2.0 is refused by its two bytes', () => {
    expect(decodeAll(createDaemonDecoder(), hex('0200'), [])).toMatchObject([
      { kind: 'bad', reason: 'version', ends: true },
    ]);
  });
});

describe('frames', () => {
  const join = hex(`80000180 ${name32(ME)} 01000000 80000080 00000000 ${name32('g1')}`);

  it('a join', () => {
    expect(bytesOf((out) => writeJoin(out, ME, 'g1'))).toEqual(join);
    for (const cuts of [[], everyByte(join)]) {
      expect(daemonReads(join, cuts)).toEqual([{ kind: 'join', group: 'g1' }]);
    }
  });

  it('the reply to the join', () => {
    const reply = hex(`80110080 ${name32('g1')} 01000000 80000080 38000000 ${name32(ME)}
      2697c51c 0868026b 01000000 01000000 00000000 01000000 ${name32(ME)}`);
    const membership = {
      cause: 'join',
      group: 'g1',
      members: [ME],
      id: { daemon: 0x1cc5_9726, time: 0x6b02_6808, index: 1 },
      sets: [[ME]],
      mine: 0,
    } as const;
    expect(bytesOf((out) => writeMembership(out, membership))).toEqual(reply);
    for (const cuts of [[], everyByte(reply)]) {
      expect(clientReads(reply, cuts)).toEqual([{ kind: 'membership', ...membership }]);
    }
  });

  it('a safe message of type -2 from a client of the other byte order, as the Java client sends it', () => {
    const sent = hex(
      `00000020 ${name32(ME)} 00000002 00fffe00 00000003 ${name32('g1')} ${name32('#b#d2')} 616263`,
    );
    const sending = {
      service: 'safe',
      selfDiscard: false,
      groups: ['g1', '#b#d2'],
      messageType: 0xfffe,
      buffer: Buffer.from('abc'),
      start: 0,
      end: 3,
    } as const;
    expect(bytesOf((out) => writeMulticast(out, ME, sending, 'big'))).toEqual(sent);
    const { buffer, start, end, ...rest } = sending;
    for (const cuts of [[], everyByte(sent)]) {
      expect(daemonReads(sent, cuts)).toEqual([
        { kind: 'multicast', ...rest, messageOrder: 'big', data: 'abc' },
      ]);
    }
  });

  it('a transition, a self-leave and a goodbye', () => {
    const id = { daemon: 1, time: 2, index: 3 };
    const transition = hex(`80200080 ${name32('g1')} 00000000 80000080 0c000000 01000000 02000000 03000000`);
    const left = hex(`80020080 ${name32('g1')} 00000000 80000080 00000000`);
    const bye = hex(`80000480 ${name32(ME)} 01000000 80000080 00000000 ${name32(ME)}`);
    expect(bytesOf((out) => writeTransition(out, 'g1', id))).toEqual(transition);
    expect(bytesOf((out) => writeSelfLeave(out, 'g1'))).toEqual(left);
    expect(bytesOf((out) => writeDisconnect(out, ME))).toEqual(bye);
    expect(clientReads(Buffer.concat([transition, left]))).toEqual([
      { kind: 'transition', group: 'g1', id },
      { kind: 'self_leave', group: 'g1' },
    ]);
    expect(daemonReads(Buffer.concat([bye, join]))).toEqual([{ kind: 'disconnect' }]);
  });

  it('the same for a client before 4.0, as libspread 3.17.4 reads it: the group id, and one set', () => {
    const reply = hex(`80110080 ${name32('g1')} 01000000 80000080 30000000 ${name32(ME)}
      2697c51c 0868026b 01000000 01000000 ${name32(ME)}`);
    const id = { daemon: 0x1cc5_9726, time: 0x6b02_6808, index: 1 };
    const membership = { cause: 'join', group: 'g1', members: [ME], id, sets: [[ME]], mine: 0 } as const;
    expect(bytesOf((out) => writeMembershipOfOneSet(out, membership))).toEqual(reply);
    for (const cuts of [[], everyByte(reply)]) {
      expect(clientReads(reply, cuts, {}, { major: 3, minor: 17, patch: 4 })).toEqual([
        { kind: 'membership', ...membership },
      ]);
    }
  });

  it('a merge for a client before 4.0: its own set alone', () => {
    const [a, b, c] = ['#a#one', '#b#two', '#c#three'];
    const id = { daemon: 5, time: 6, index: 1 };
    const sets = [[a], [b, c]];
    const frame =
      hex(`80180080 ${name32('g')} 03000000 80000080 50000000 ${name32(a)} ${name32(b)} ${name32(c)}
      05000000 06000000 01000000 02000000 ${name32(b)} ${name32(c)}`);
    const membership = { cause: 'network', group: 'g', members: [a, b, c], id, sets, mine: 1 } as const;
    expect(bytesOf((out) => writeMembershipOfOneSet(out, membership))).toEqual(frame);
  });

  it('a merge: the own set is found by its place in bytes, and members of a lost daemon stand alone', () => {
    const [a, b, c] = ['#a#one', '#b#two', '#c#three'];
    const body = `05000000 06000000 01000000 02000000 24000000 01000000 ${name32(a)} 02000000 ${name32(b)} ${name32(c)}`;
    const frame = hex(`80180080 ${name32('g')} 02000000 80000080 7c000000 ${name32(b)} ${name32(c)} ${body}`);
    const membership = {
      cause: 'network',
      group: 'g',
      members: [b, c],
      id: { daemon: 5, time: 6, index: 1 },
      sets: [[a], [b, c]],
      mine: 1,
    } as const;
    expect(bytesOf((out) => writeMembership(out, membership))).toEqual(frame);
    expect(clientReads(frame)).toEqual([{ kind: 'membership', ...membership }]);
  });
});
