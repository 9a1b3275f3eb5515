import { describe, expect, it } from 'vitest';
import { bytesOf, clientReads, daemonReads, everyByte, hex, ME } from '../../test/spread.ts';
import {
  BAD,
  type BadReason,
  EncodeError,
  isDestination,
  type Limits,
  Output,
  parsePrivateGroup,
  privateGroup,
  type Rejected,
  type Sending,
  TypeBit,
  writeJoin,
  writeMembership,
  writeMembershipOfOneSet,
  writeMessage,
  writeMulticast,
  writeReject,
  writeSelfLeave,
  writeTransition,
} from './index.ts';

interface Fields {
  type: number;
  sender: string | Buffer;
  count: number;
  hint: number;
  length: number;
  groups: (string | Buffer)[];
  data: string;
}

/** A frame of a little-endian client, field by field, right or wrong. */
function frame(fields: Partial<Fields> = {}): Buffer {
  const groups = fields.groups ?? ['g1'];
  const data = fields.data ?? '';
  const head = Buffer.alloc(48);
  const { type = 0x8000_0082, sender = ME, count = groups.length, hint = 0x8000_0080 } = fields;
  head.writeUInt32LE(type >>> 0, 0);
  Buffer.from(sender as string, 'latin1').copy(head, 4);
  head.writeInt32LE(count, 36);
  head.writeUInt32LE(hint >>> 0, 40);
  head.writeInt32LE(fields.length ?? data.length, 44);
  const names = groups.map((group) =>
    Buffer.concat([Buffer.from(group as string, 'latin1'), Buffer.alloc(32)], 32),
  );
  return Buffer.concat([head, ...names, Buffer.from(data, 'latin1')]);
}

const typed = (bits: number): Partial<Fields> => ({ type: bits + 0x8000_0080 });
const JOIN = frame(typed(TypeBit.join));

describe('what a session may not send', () => {
  it.each<[string, BadReason, Partial<Fields>]>([
    ['a membership', 'forged_type', typed(0x1110)],
    ['a membership without a service', 'forged_type', typed(0x1100)],
    ['a transition', 'forged_type', typed(0x2000)],
    ['a self-leave', 'forged_type', typed(0x200)],
    ['a network change beside a service', 'forged_type', typed(0x804)],
    ['a reject', 'forged_type', typed(0x40_0010)],
    ["a daemon's groups", 'forged_type', typed(0x8_0002)],
    ['no service', 'bad_type', typed(0)],
    ['only self-discard', 'bad_type', typed(0x40)],
    ['two services', 'bad_type', typed(0x30)],
    ['a service and a join', 'bad_type', typed(0x1_0001)],
    ['a join and a leave', 'bad_type', typed(0x3_0000)],
    ['only bits that count for nothing', 'bad_type', typed(0x4100_0000)],
    ['half a byte order', 'bad_order', { type: 0x82 }],
    ['the other half', 'bad_order', { type: 0x8000_0002 }],
    ["another session's name", 'bad_sender', { sender: '#aa#localhost' }],
    ["another daemon's", 'bad_sender', { sender: '#zz#localhos' }],
    ['no name', 'bad_sender', { sender: '' }],
    ['a name that goes on behind its end', 'bad_sender', { sender: `${ME}x` }],
    ['a kill of another session', 'bad_sender', { ...typed(TypeBit.kill), sender: '#aa#localhost' }],
    ['a hint with low bits', 'bad_hint', { hint: 0x8000_0081 }],
    ['a hint with high bits', 'bad_hint', { hint: 0x8100_0080 }],
    ['a hint with any other bit', 'bad_hint', { hint: 0xc000_0080 }],
    ['a hint of half an order', 'bad_hint', { hint: 0x80 }],
    ['101 groups', 'bad_group_count', { count: 101 }],
    ['fewer than no groups', 'bad_group_count', { count: -1 }],
    ['two thousand million groups', 'bad_group_count', { count: 0x7fff_ffff }],
    ['less than no data', 'bad_data_length', { length: -1 }],
    ['more data than is taken', 'data_too_large', { length: 16 * 1024 * 1024 + 1 }],
    ['all the data there can be', 'data_too_large', { length: 0x7fff_ffff }],
  ])('%s: the session ends, and nothing behind it is read', (_, reason, fields) => {
    expect(BAD[reason]).toMatchObject({ ends: true, refusal: undefined });
    const bytes = Buffer.concat([frame(fields), JOIN]);
    for (const cuts of [[], everyByte(bytes)]) {
      expect(daemonReads(bytes, cuts)).toEqual([
        {
          kind: 'bad',
          reason,
          ends: true,
          type: 0,
          groups: [],
          messageType: 0,
          messageOrder: 'little',
          data: '',
        },
      ]);
    }
  });

  it.each<[string, BadReason, Partial<Fields>, Partial<Rejected>]>([
    ['a message to nobody', 'no_group', { groups: [], data: 'abc' }, { type: 2 }],
    ['a message to a name with a space', 'bad_group', { groups: ['g1', 'g 2'], data: 'x' }, { type: 2 }],
    ['to a name of 32 bytes', 'bad_group', { groups: ['x'.repeat(32)] }, { type: 2 }],
    ['to an empty name', 'bad_group', { groups: [''] }, { type: 2 }],
    ['to half a private group', 'bad_group', { groups: ['#zz'] }, { type: 2 }],
    ['a join of no group', 'no_group', { ...typed(TypeBit.join), groups: [] }, { type: 0x100 }],
    ["a join of a session's own", 'bad_group', { ...typed(TypeBit.join), groups: [ME] }, { type: 0x100 }],
    ['a message with a bit too many', 'bad_group', { ...typed(0x100_0042), groups: [''] }, { type: 0x42 }],
    ['a leave of a bad name', 'bad_group', { ...typed(TypeBit.leave), groups: ['\xe9'] }, { type: 0x200 }],
  ])('%s: comes back to the sender, and the session goes on', (_, reason, fields, rejected) => {
    expect(BAD[reason]).toMatchObject({ ends: false, refusal: undefined });
    const bytes = Buffer.concat([frame(fields), JOIN]);
    for (const cuts of [[], everyByte(bytes)]) {
      const [bad, next] = daemonReads(bytes, cuts);
      const groups = fields.groups ?? ['g1'];
      expect(bad).toMatchObject({
        kind: 'bad',
        reason,
        ends: false,
        groups,
        data: fields.data ?? '',
        ...rejected,
      });
      expect(next).toEqual({ kind: 'join', group: 'g1' });
      const data = Buffer.from(bad!.data as string, 'latin1');
      const back = { ...(bad as unknown as Rejected), sender: ME, buffer: data, start: 0, end: data.length };
      const [seen] = clientReads(bytesOf((out) => writeReject(out, back)));
      expect(seen).toMatchObject({
        kind: 'reject',
        sender: ME,
        data: bad!.data,
        groups: [...groups.map((group) => String(group).slice(0, 31)), ME],
        ...rejected,
      });
    }
  });
});

describe('what a session may send', () => {
  it('each service, with and without a copy for itself', () => {
    const services = ['unreliable', 'reliable', 'fifo', 'causal', 'agreed', 'safe'];
    for (const [bit, service] of services.entries()) {
      for (const selfDiscard of [false, true]) {
        const type = (1 << bit) | (selfDiscard ? 0x40 : 0);
        expect(daemonReads(frame(typed(type)))).toMatchObject([{ kind: 'multicast', service, selfDiscard }]);
      }
    }
  });

  it('names with anything behind their end, as libspread sends them from arrays of its program', () => {
    const dirty = Buffer.concat([Buffer.from('g1\0'), Buffer.alloc(29, 0xee)]);
    const sender = Buffer.concat([Buffer.from(`${ME}\0`), Buffer.alloc(18, 0xee)]);
    expect(daemonReads(frame({ groups: [dirty, dirty], sender }))).toMatchObject([
      { kind: 'multicast', groups: ['g1', 'g1'] },
    ]);
  });

  it('a message whose type is of the other byte order than its frame', () => {
    expect(daemonReads(frame({ hint: 0x0012_3400 }))).toMatchObject([
      { messageType: 0x3412, messageOrder: 'big' },
    ]);
    expect(daemonReads(frame({ hint: 0x8012_3480 }))).toMatchObject([
      { messageType: 0x1234, messageOrder: 'little' },
    ]);
  });

  it('a join or leave that says self-discard, which Spread lets pass', () => {
    expect(daemonReads(frame(typed(0x1_0040)))).toEqual([{ kind: 'join', group: 'g1' }]);
  });

  it('a join or leave of several groups, of which the first counts, and one with data', () => {
    const groups = ['a', 'b c'];
    expect(daemonReads(frame({ ...typed(TypeBit.join), groups }))).toEqual([{ kind: 'join', group: 'a' }]);
    expect(daemonReads(frame({ ...typed(TypeBit.leave), groups }))).toEqual([{ kind: 'leave', group: 'a' }]);
    const bytes = Buffer.concat([frame({ ...typed(TypeBit.join), data: 'xyz' }), JOIN]);
    expect(daemonReads(bytes, everyByte(bytes))).toEqual([
      { kind: 'join', group: 'g1' },
      { kind: 'join', group: 'g1' },
    ]);
  });

  it("a leave of its own private group, which is how Perl's client says goodbye", () => {
    const bytes = Buffer.concat([frame({ ...typed(TypeBit.leave), groups: [ME] }), JOIN]);
    expect(daemonReads(bytes, everyByte(bytes))).toEqual([{ kind: 'disconnect' }]);
  });

  it('bits that count for nothing, such as DROP_RECV of a program that sends with the type it received with', () => {
    for (const bits of [0x100_0000, 0x7e90_c000]) {
      expect(daemonReads(frame(typed(TypeBit.reliable | bits)))).toMatchObject([
        { kind: 'multicast', service: 'reliable', selfDiscard: false },
      ]);
      expect(daemonReads(frame(typed(TypeBit.join | bits)))).toEqual([{ kind: 'join', group: 'g1' }]);
    }
  });

  it('a hundred groups, or as many as the daemon was set to', () => {
    const groups = Array.from({ length: 101 }, (_, index) => `g${index}`);
    expect(daemonReads(frame({ groups: groups.slice(0, 100) }))).toMatchObject([{ kind: 'multicast' }]);
    expect(daemonReads(frame({ groups }), [], { groups: 101 })).toMatchObject([
      { kind: 'multicast', groups },
    ]);
  });

  it('143,153 bytes, which end Spread, and 16 MiB', () => {
    for (const length of [143_153, 16 * 1024 * 1024]) {
      const [item] = daemonReads(frame({ data: 'x'.repeat(length) }), [1000, 60_000]);
      expect((item!.data as string).length).toBe(length);
    }
  });
});

describe('what a client takes from a daemon', () => {
  const membership = {
    cause: 'network',
    group: 'g',
    members: ['#a#x', '#b#y'],
    id: { daemon: 1, time: 2, index: 3 },
    sets: [['#a#x'], ['#b#y']],
    mine: 1,
  } as const;
  const wire = bytesOf((out) => writeMembership(out, membership));
  const BODY = 48 + 2 * 32;

  it.each<[string, string, (bytes: Buffer) => void]>([
    ['its own set begins where none does', 'bad_membership', (bytes) => bytes.writeUInt32LE(35, BODY + 16)],
    ['more sets than there are', 'bad_membership', (bytes) => bytes.writeUInt32LE(3, BODY + 12)],
    ['four thousand million sets', 'bad_membership', (bytes) => bytes.writeUInt32LE(0xffff_ffff, BODY + 12)],
    ['fewer sets than there are', 'bad_membership', (bytes) => bytes.writeUInt32LE(1, BODY + 12)],
    ['no sets', 'bad_membership', (bytes) => bytes.writeUInt32LE(0, BODY + 12)],
    ['a set larger than the body', 'bad_membership', (bytes) => bytes.writeUInt32LE(0xffff_ffff, BODY + 20)],
    ['too many members', 'bad_group_count', (bytes) => bytes.writeInt32LE(65_537, 36)],
    ['fewer than no members', 'bad_group_count', (bytes) => bytes.writeInt32LE(-1, 36)],
    ['less than no body', 'bad_data_length', (bytes) => bytes.writeInt32LE(-1, 44)],
    ['a body that no membership has', 'data_too_large', (bytes) => bytes.writeInt32LE(0x7fff_ffff, 44)],
    ['two causes', 'bad_type', (bytes) => bytes.writeUInt8(0x19, 1)],
    ['no cause', 'bad_type', (bytes) => bytes.writeUInt8(0x10, 1)],
    ['a service beside it', 'bad_type', (bytes) => bytes.writeUInt8(0x82, 0)],
    ['half a byte order', 'bad_order', (bytes) => bytes.writeUInt8(0x00, 0)],
  ])('not a membership with %s', (_, reason, spoil) => {
    const bytes = Buffer.from(wire);
    spoil(bytes);
    expect(clientReads(Buffer.concat([bytes, wire]))).toEqual([{ kind: 'bad', reason }]);
  });

  it('not bytes behind the last set, nor a count that is cut off', () => {
    const extra = Buffer.concat([wire, Buffer.alloc(36)]);
    extra.writeInt32LE(wire.length - BODY + 36, 44);
    extra.writeUInt32LE(0, BODY + 16);
    expect(clientReads(extra)).toEqual([{ kind: 'bad', reason: 'bad_membership' }]);
    const cut = Buffer.from(wire.subarray(0, BODY + 20 + 36 + 3));
    cut.writeInt32LE(20 + 36 + 3, 44);
    expect(clientReads(cut)).toEqual([{ kind: 'bad', reason: 'bad_membership' }]);
  });

  it('a membership up to its limit, with every member alone, one that left and an empty set', () => {
    const full = { ...membership, sets: [['#a#x'], ['#b#y'], ['#c#z'], []] };
    const bytes = bytesOf((out) => writeMembership(out, full));
    expect(clientReads(bytes, [], { members: 2 })).toEqual([{ kind: 'membership', ...full }]);
    expect(clientReads(bytes, [], { members: 1 })).toEqual([{ kind: 'bad', reason: 'bad_group_count' }]);
  });

  it.each<[string, string, (bytes: Buffer) => void]>([
    ['a set larger than the body', 'bad_membership', (bytes) => bytes.writeUInt32LE(2, BODY + 12)],
    ['a set smaller than the body', 'bad_membership', (bytes) => bytes.writeUInt32LE(0, BODY + 12)],
    [
      'four thousand million members',
      'bad_membership',
      (bytes) => bytes.writeUInt32LE(0xffff_ffff, BODY + 12),
    ],
  ])('of an old daemon, not a membership with %s', (_, reason, spoil) => {
    const old = { major: 3, minor: 17, patch: 4 };
    const bytes = bytesOf((out) => writeMembershipOfOneSet(out, membership));
    expect(clientReads(bytes, [], {}, old)).toEqual([
      { kind: 'membership', ...membership, sets: [['#b#y']], mine: 0 },
    ]);
    spoil(bytes);
    expect(clientReads(bytes, [], {}, old)).toEqual([{ kind: 'bad', reason }]);
    bytes.writeInt32LE(15, 44);
    expect(clientReads(bytes.subarray(0, BODY + 15), [], {}, old)).toEqual([{ kind: 'bad', reason }]);
  });

  it('a message up to its limits, and with a proper hint', () => {
    const sent = {
      service: 'fifo',
      selfDiscard: false,
      sender: '#a#x',
      groups: ['a', 'b'],
      messageType: 1,
      messageOrder: 'big',
      buffer: Buffer.from('abc'),
      start: 0,
      end: 3,
    } as const;
    const bytes = bytesOf((out) => writeMessage(out, sent));
    const reads = (limits: Partial<Limits>): unknown => clientReads(bytes, [], limits)[0];
    expect(reads({ groups: 2, data: 3 })).toMatchObject({ kind: 'message', groups: ['a', 'b'], data: 'abc' });
    expect(reads({ groups: 1 })).toEqual({ kind: 'bad', reason: 'bad_group_count' });
    expect(reads({ data: 2 })).toEqual({ kind: 'bad', reason: 'data_too_large' });
    bytes.writeUInt8(1, 40);
    expect(reads({})).toEqual({ kind: 'bad', reason: 'bad_hint' });
  });

  it('not a transition or a self-leave of another length', () => {
    const id = { daemon: 1, time: 2, index: 3 };
    for (const write of [
      (out: Output) => writeTransition(out, 'g', id),
      (out: Output) => writeSelfLeave(out, 'g'),
    ]) {
      const bytes = bytesOf(write);
      bytes.writeInt32LE(4, 44);
      expect(clientReads(bytes)).toEqual([{ kind: 'bad', reason: 'bad_membership' }]);
    }
  });

  it('a membership with an empty set, which Spread sends for a daemon whose only member is just joining', () => {
    const joined = { ...membership, sets: [[], ['#a#x', '#b#y']], mine: 0 };
    expect(clientReads(bytesOf((out) => writeMembership(out, joined)))).toEqual([
      { kind: 'membership', ...joined },
    ]);
  });

  it('a membership of 5,000, which is more than Spread can send', () => {
    const members = Array.from({ length: 5000 }, (_, index) => `#m${index}#daemon`);
    const merged = { ...membership, members, sets: members.map((one) => [one]), mine: 4999 };
    const bytes = bytesOf((out) => writeMembership(out, merged));
    expect(clientReads(bytes, [1000, 150_000])).toEqual([{ kind: 'membership', ...merged }]);
  });

  it('a rejected message of a hundred groups has the sender in the place of the last', () => {
    const groups = Array.from({ length: 100 }, (_, index) => `g${index}`);
    const bytes = bytesOf((out) =>
      writeReject(out, {
        type: TypeBit.safe | TypeBit.selfDiscard,
        sender: ME,
        groups,
        messageType: 7,
        messageOrder: 'big',
        buffer: Buffer.from('data'),
        start: 0,
        end: 4,
      }),
    );
    expect(bytes.subarray(0, 4)).toEqual(hex('c0004080'));
    const [seen] = clientReads(bytes);
    expect(seen).toEqual({
      kind: 'reject',
      rejected: 'multicast',
      type: 0x60,
      sender: ME,
      groups: [...groups.slice(0, 99), ME],
      messageType: 7,
      messageOrder: 'big',
      data: 'data',
    });
  });

  it('a reject as libspread reads it: the old type between header and groups, not counted in the length', () => {
    const bytes = bytesOf((out) =>
      writeReject(out, {
        type: TypeBit.causedByJoin,
        sender: ME,
        groups: ['g'],
        messageType: 0,
        messageOrder: 'little',
        buffer: Buffer.alloc(0),
        start: 0,
        end: 0,
      }),
    );
    expect(bytes.subarray(0, 4)).toEqual(hex('800040 80'));
    expect(bytes.subarray(36, 52)).toEqual(hex('02000000 80000080 00000000 80010080'));
    expect(bytes).toHaveLength(48 + 4 + 64);
  });
});

it('a daemon of either byte order is understood', () => {
  const id = { daemon: -1, time: 0x0102_0304, index: 1 };
  const sets = [['#a#x']];
  const membership = { cause: 'leave', group: 'g', members: ['#b#x'], id, sets, mine: 0 } as const;
  const all = (order: 'little' | 'big'): Buffer =>
    bytesOf((out) => {
      writeMembership(out, membership, order);
      writeTransition(out, 'g', id, order);
      writeSelfLeave(out, 'g', order);
    });
  expect(all('big')).not.toEqual(all('little'));
  expect(all('big').subarray(0, 4)).toEqual(hex('00001200'));
  expect(clientReads(all('big'))).toEqual(clientReads(all('little')));
});

it('names: groups, private groups and what can be sent to', () => {
  expect(privateGroup('zz', 'localhost')).toBe(ME);
  expect(parsePrivateGroup(ME)).toEqual({ name: 'zz', daemon: 'localhost' });
  expect(parsePrivateGroup(privateGroup('x'.repeat(10), 'd'.repeat(19)))).toBeDefined();
  for (const text of ['', '#', '##', '#a', '#a#', '##b', 'a#b', '#a#b#c', '#a b#c', `#${'x'.repeat(11)}#b`]) {
    expect(parsePrivateGroup(text)).toBeUndefined();
    expect(isDestination(text)).toBe(false);
  }
  expect(parsePrivateGroup(`#a#${'d'.repeat(20)}`)).toBeUndefined();
  for (const text of ['$', '~', 'x'.repeat(31), ME]) expect(isDestination(text)).toBe(true);
  for (const text of ['x'.repeat(32), ' ', '\x7f', '\xe9']) expect(isDestination(text)).toBe(false);
});

it('a program that asks for a frame that no peer would take gets an EncodeError, and no bytes are written', () => {
  const sending: Sending = {
    service: 'safe',
    selfDiscard: false,
    groups: ['g'],
    messageType: 0,
    buffer: Buffer.alloc(0),
    start: 0,
    end: 0,
  };
  const id = { daemon: 0, time: 0, index: 0 };
  const message = { ...sending, sender: ME, messageOrder: 'little' as const };
  const membership = { cause: 'join', group: 'g', members: [ME], id, sets: [[ME]], mine: 0 } as const;
  const wrong: [string, (out: Output) => void][] = [
    ['invalid_groups', (out) => writeMulticast(out, ME, { ...sending, groups: [] })],
    ['invalid_group', (out) => writeMulticast(out, ME, { ...sending, groups: ['a b'] })],
    ['invalid_name', (out) => writeMulticast(out, 'zz', sending)],
    ['invalid_message_type', (out) => writeMulticast(out, ME, { ...sending, messageType: 0x1_0000 })],
    ['invalid_message_type', (out) => writeMulticast(out, ME, { ...sending, messageType: -1 })],
    ['invalid_group', (out) => writeJoin(out, ME, ME)],
    ['invalid_name', (out) => writeMessage(out, { ...message, sender: 'g' })],
    ['invalid_group', (out) => writeMembership(out, { ...membership, group: ME })],
    ['invalid_name', (out) => writeMembership(out, { ...membership, members: ['g'] })],
    ['invalid_name', (out) => writeMembership(out, { ...membership, sets: [['g']] })],
    ['invalid_sets', (out) => writeMembership(out, { ...membership, mine: 1 })],
    ['invalid_sets', (out) => writeMembershipOfOneSet(out, { ...membership, mine: 1 })],
    ['invalid_group', (out) => writeTransition(out, '', id)],
    ['invalid_group', (out) => writeSelfLeave(out, '#')],
    ['invalid_type', (out) => writeReject(out, { ...message, type: 0x1110 })],
    ['invalid_type', (out) => writeReject(out, { ...message, type: 0x40 })],
  ];
  for (const [code, write] of wrong) {
    const out = new Output();
    expect(() => write(out)).toThrow(EncodeError);
    expect(() => write(out)).toThrow(expect.objectContaining({ code }));
    expect(out.bytes).toBe(0);
  }
});
