/** Bytes and texts of the protocol's page, put together by hand. */
import { describe, expect, it } from 'vitest';
import {
  type ClientControl,
  type DaemonControl,
  decodeClientControl,
  decodeDaemonControl,
  decodeFrame,
  encodeClientControl,
  encodeDaemonControl,
  encodeDelivery,
  encodeRecord,
  frameOf,
  type MessageRecord,
  numberDelivery,
} from './index.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const plain: MessageRecord = {
  sender: '',
  groups: ['g'],
  service: 'agreed',
  messageType: 0,
  key: '',
  selfDiscard: false,
  bigEndian: false,
  data: bytesOf('hello'),
};

describe('binary frames', () => {
  const first = hex('0f000000 04 00 0000 01 00 00 00 0167 68656c6c6f');
  const second = hex('17000000 05 03 0102 02 02 04 00 23612362 0167 0423622363 c3bc 00ff');
  const full: MessageRecord = {
    sender: '#a#b',
    groups: ['g', '#b#c'],
    service: 'safe',
    messageType: 0x0201,
    key: 'ü',
    selfDiscard: true,
    bigEndian: true,
    data: hex('00ff'),
  };

  it('a client’s smallest record', () => {
    expect(encodeRecord(plain)).toEqual(first);
    const frame = frameOf(3, [first, first]);
    expect(frame).toEqual(hex(`01000000 0300000000000000 ${Buffer.from(first).toString('hex').repeat(2)}`));
    expect(decodeFrame(frame, 'client')).toEqual([
      { number: 3, ...plain },
      { number: 4, ...plain },
    ]);
  });

  it('a daemon’s record with everything, after 2^40 others', () => {
    expect(encodeRecord(full)).toEqual(second);
    const frame = frameOf(2 ** 40, [second]);
    expect(frame).toEqual(hex(`01000000 0000000000010000 ${Buffer.from(second).toString('hex')}`));
    expect(decodeFrame(frame, 'daemon')).toEqual([{ number: 2 ** 40, ...full }]);
    expect(decodeFrame(Buffer.from(frame), 'daemon')).toEqual([{ number: 2 ** 40, ...full }]);
  });

  it('data is a part of the frame', () => {
    const frame = frameOf(1, [first]);
    const [record] = decodeFrame(frame, 'client') as { data: Uint8Array }[];
    expect(record!.data.buffer).toBe(frame.buffer);
  });

  const good = Buffer.from(frameOf(1, [first])).toString('hex');
  it.each([
    ['nothing', ''],
    ['no record', '01000000 0100000000000000'],
    ['another version', `02${good.slice(2)}`],
    ['number 0', good.replace('0000000100000000000000', '0000000000000000000000')],
    ['number 2^53', good.replace('0100000000000000', '0000000000002000')],
    ['a cut record', good.slice(0, -2)],
    ['a byte after it', `${good}00`],
    ['a length that is too small', good.replace('0f000000', '07000000')],
    ['a length of 4 GiB', good.replace('0f000000', 'ffffffff')],
    ['service 6', good.replace('0f00000004', '0f00000006')],
    ['an unknown flag', good.replace('0f0000000400', '0f0000000404')],
    ['no group', good.replace('010000000167', '000000000167')],
    ['a group without a name', good.replace('0167', '0067')],
    ['a group that is none', good.replace('0167', '0120')],
    ['a group past the end', good.replace('0167', 'ff67')],
    ['a key past the end', good.replace('010000000167', '01ff00000167')],
    ['a key that is not UTF-8', good.replace('010000000167', '010100000167').replace('68656c', 'ff656c')],
    ['a client that names a sender', good.replace('010000000167', '010001000167')],
    ['a reserved byte', good.replace('010000000167', '010000010167')],
  ])('%s is bad', (_, text) => {
    expect(decodeFrame(hex(text), 'client')).toMatchObject({ kind: 'bad', code: 'BAD_FRAME', n: undefined });
  });

  it('limits', () => {
    const frame = frameOf(1, [first, first]);
    expect(decodeFrame(frame, 'client', { records: 1 })).toMatchObject({ kind: 'bad' });
    expect(decodeFrame(frame, 'client', { messageBytes: 4 })).toMatchObject({ kind: 'bad' });
    expect(decodeFrame(frame, 'client', { records: 2, messageBytes: 5 })).toHaveLength(2);
    const two = frameOf(1, [encodeRecord({ ...plain, groups: ['a', 'b'] })]);
    expect(decodeFrame(two, 'client', { groups: 1 })).toMatchObject({ kind: 'bad' });
    const large = frameOf(1, [encodeRecord({ ...plain, data: new Uint8Array(70_000) })]);
    expect(decodeFrame(large, 'client', { messageBytes: 4000 })).toMatchObject({ kind: 'bad' });
  });

  it.each([
    [{ groups: [] }, 'invalid_groups'],
    [{ groups: ['a b'] }, 'invalid_group'],
    [{ groups: ['x'.repeat(32)] }, 'invalid_group'],
    [{ sender: 'alice' }, 'invalid_name'],
    [{ messageType: 65_536 }, 'invalid_message_type'],
    [{ messageType: 1.5 }, 'invalid_message_type'],
    [{ key: 'ü'.repeat(128) }, 'invalid_key'],
  ])('the caller’s mistake %j is thrown', (part, code) => {
    expect(() => encodeRecord({ ...plain, ...part })).toThrow(expect.objectContaining({ code }));
  });
});

describe('text frames of a client', () => {
  const cases: readonly (readonly [string, ClientControl])[] = [
    [
      '{"type":"hello","name":"alice","membership":true,"messages":"binary","token":"t","window_bytes":4194304}',
      {
        kind: 'hello',
        name: 'alice',
        membership: true,
        messages: 'binary',
        token: 't',
        windowBytes: 4_194_304,
      },
    ],
    [
      '{"type":"resume","session":"#alice#h1","key":"k","received":17,"token":"t"}',
      { kind: 'resume', session: '#alice#h1', key: 'k', received: 17, token: 't' },
    ],
    ['{"type":"join","n":1,"group":"g"}', { kind: 'join', n: 1, group: 'g' }],
    ['{"type":"leave","n":2,"group":"g"}', { kind: 'leave', n: 2, group: 'g' }],
    [
      '{"type":"send","n":3,"groups":["g"],"service":"safe","message_type":7,"key":"k","self_discard":true,"text":"hello"}',
      {
        kind: 'send',
        n: 3,
        groups: ['g'],
        service: 'safe',
        messageType: 7,
        key: 'k',
        selfDiscard: true,
        data: bytesOf('hello'),
      },
    ],
    ['{"type":"ack","received":17}', { kind: 'ack', received: 17 }],
    ['{"type":"groups","id":1}', { kind: 'groups', id: 1 }],
    ['{"type":"members","id":2,"group":"g"}', { kind: 'members', id: 2, group: 'g' }],
    ['{"type":"ping","id":3}', { kind: 'ping', id: 3 }],
    ['{"type":"bye"}', { kind: 'bye' }],
  ];
  it.each(cases)('%s', (frame, control) => {
    expect(encodeClientControl(control)).toBe(frame);
    expect(decodeClientControl(frame)).toEqual(control);
  });

  it('what is missing has its default', () => {
    expect(decodeClientControl('{"type":"hello"}')).toEqual({
      kind: 'hello',
      name: undefined,
      membership: true,
      messages: 'binary',
      token: undefined,
      windowBytes: 0,
    });
    expect(decodeClientControl('{"type":"send","n":1,"groups":["g"],"base64":"AP8="}')).toEqual({
      kind: 'send',
      n: 1,
      groups: ['g'],
      service: 'agreed',
      messageType: 0,
      key: '',
      selfDiscard: false,
      data: hex('00ff'),
    });
  });

  it.each([
    ['{"type":"hello","name":"eleven char"}', 'BAD_NAME', undefined],
    ['{"type":"hello","name":7}', 'BAD_NAME', undefined],
    ['{"type":"join","n":4,"group":"#a#b"}', 'BAD_GROUP', 4],
    ['{"type":"join","n":4}', 'BAD_GROUP', 4],
    ['{"type":"send","n":5,"groups":[],"text":""}', 'TOO_MANY_GROUPS', 5],
    ['{"type":"send","n":5,"groups":["a","b","c"],"text":""}', 'TOO_MANY_GROUPS', 5],
    ['{"type":"send","n":5,"groups":["a b"],"text":""}', 'BAD_GROUP', 5],
    ['{"type":"send","n":5,"groups":["a"],"text":"123456789"}', 'MESSAGE_TOO_LARGE', 5],
  ])('%s is %s', (frame, code, n) => {
    expect(decodeClientControl(frame, { groups: 2, messageBytes: 8 })).toMatchObject({
      kind: 'bad',
      code,
      n,
    });
  });

  it.each([
    '',
    'null',
    '[]',
    '"hello"',
    '{',
    '{"type":"hi"}',
    '{"type":"constructor"}',
    '{"type":["hello"]}',
    '{"__proto__":{"type":"bye"}}',
    '{"type":"bye","__proto__":{"x":1}}',
    '{"type":"hello","membershp":true}',
    '{"type":"hello","membership":1}',
    '{"type":"hello","messages":"xml"}',
    '{"type":"hello","window_bytes":-1}',
    `{"type":"hello","token":"${'x'.repeat(5000)}"}`,
    '{"type":"resume","session":"alice","key":"k","received":1}',
    '{"type":"resume","session":"#a#b","key":"k","received":1.5}',
    '{"type":"join","n":0,"group":"g"}',
    '{"type":"join","n":9007199254740992,"group":"g"}',
    '{"type":"join","n":"1","group":"g"}',
    '{"type":"ack","received":-1}',
    '{"type":"send","n":1,"groups":["g"]}',
    '{"type":"send","n":1,"groups":["g"],"text":"a","base64":""}',
    '{"type":"send","n":1,"groups":["g"],"base64":"AP8"}',
    '{"type":"send","n":1,"groups":["g"],"base64":"A P8"}',
    '{"type":"send","n":1,"groups":["g"],"text":"\\ud800"}',
    '{"type":"send","n":1,"groups":["g"],"text":"","service":"toString"}',
    '{"type":"send","n":1,"groups":["g"],"text":"","message_type":65536}',
    `{"type":"send","n":1,"groups":["g"],"text":"","key":"${'ü'.repeat(128)}"}`,
    '{"type":"send","n":1,"groups":"g","text":""}',
    `{"type":"bye"${' '.repeat(2000)}}`,
  ])('%s ends the connection', (frame) => {
    expect(decodeClientControl(frame, { requestText: 1500 })).toMatchObject({
      kind: 'bad',
      code: 'BAD_FRAME',
      n: undefined,
    });
  });
});

describe('text frames of a daemon', () => {
  const cases: readonly (readonly [string, DaemonControl])[] = [
    [
      '{"type":"welcome","session":"#alice#h1","daemon":"h1","version":"0.1.0","key":"k","resume_ms":30000,"message_bytes":16777216,"groups":100}',
      {
        kind: 'welcome',
        session: '#alice#h1',
        daemon: 'h1',
        version: '0.1.0',
        key: 'k',
        resumeMs: 30_000,
        messageBytes: 16_777_216,
        groups: 100,
      },
    ],
    ['{"type":"resumed","taken":5}', { kind: 'resumed', taken: 5 }],
    ['{"type":"gone","reason":"r"}', { kind: 'gone', reason: 'r' }],
    ['{"type":"confirmed","n":3}', { kind: 'confirmed', n: 3 }],
    [
      '{"type":"groups","id":1,"groups":[{"name":"g","members":2}]}',
      { kind: 'groups', id: 1, groups: [{ name: 'g', members: 2 }] },
    ],
    [
      '{"type":"members","id":2,"group":"g","members":["#alice#h1","#bob#h2"]}',
      { kind: 'members', id: 2, group: 'g', members: ['#alice#h1', '#bob#h2'] },
    ],
    ['{"type":"pong","id":3}', { kind: 'pong', id: 3 }],
    [
      '{"d":4,"type":"view","group":"g","id":"1.2.3","cause":"join","members":["#alice#h1"],"changed":"#alice#h1","sets":[["#alice#h1"]]}',
      {
        kind: 'view',
        d: 4,
        group: 'g',
        id: '1.2.3',
        cause: 'join',
        members: ['#alice#h1'],
        changed: '#alice#h1',
        sets: [['#alice#h1']],
      },
    ],
    [
      '{"d":5,"type":"transition","group":"g","id":"1.2.3"}',
      { kind: 'transition', d: 5, group: 'g', id: '1.2.3' },
    ],
    ['{"d":6,"type":"left","group":"g"}', { kind: 'left', d: 6, group: 'g' }],
    ['{"d":7,"type":"dropped","group":"g","count":12}', { kind: 'dropped', d: 7, group: 'g', count: 12 }],
    [
      '{"d":8,"type":"refused","n":2,"code":"TOO_MANY_GROUPS","message":"m"}',
      { kind: 'refused', d: 8, n: 2, code: 'TOO_MANY_GROUPS', message: 'm' },
    ],
    [
      '{"d":9,"type":"message","sender":"#bob#h2","groups":["g"],"service":"agreed","message_type":0,"key":"k","text":"ü"}',
      {
        kind: 'message',
        d: 9,
        sender: '#bob#h2',
        groups: ['g'],
        service: 'agreed',
        messageType: 0,
        key: 'k',
        data: bytesOf('ü'),
      },
    ],
    [
      '{"d":10,"type":"message","sender":"#bob#h2","groups":["g"],"service":"agreed","message_type":0,"base64":"AP8="}',
      {
        kind: 'message',
        d: 10,
        sender: '#bob#h2',
        groups: ['g'],
        service: 'agreed',
        messageType: 0,
        key: '',
        data: hex('00ff'),
      },
    ],
    ['{"type":"error","code":"REPLACED","message":"m"}', { kind: 'error', code: 'REPLACED', message: 'm' }],
  ];
  it.each(cases)('%s', (frame, control) => {
    expect(encodeDaemonControl(control)).toBe(frame);
    expect(decodeDaemonControl(frame)).toEqual(control);
  });

  it('a view is encoded once and numbered for each receiver', () => {
    const shared = encodeDelivery({ kind: 'left', group: 'g' });
    expect(decodeDaemonControl(numberDelivery(shared, 8))).toEqual({ kind: 'left', d: 8, group: 'g' });
  });

  it('a newer daemon may tell more', () => {
    expect(decodeDaemonControl('{"type":"resumed","taken":5,"mood":"good"}')).toEqual({
      kind: 'resumed',
      taken: 5,
    });
  });

  it.each([
    '{"type":"welcome","session":"#alice#h1"}',
    '{"type":"news","d":1}',
    '{"type":"left","group":"g"}',
    '{"type":"view","d":4,"group":"g","id":"1.2","cause":"join","members":[],"sets":[]}',
    '{"type":"view","d":4,"group":"g","id":"1.2.3","cause":"fire","members":[],"sets":[]}',
    '{"type":"view","d":4,"group":"g","id":"1.2.3","cause":"join","members":["a"],"sets":[]}',
    '{"type":"view","d":4,"group":"g","id":"1.2.3","cause":"join","members":[],"sets":[[],[],[]]}',
    '{"type":"refused","d":8,"n":2,"code":"__proto__","message":"m"}',
    '{"type":"error","code":"toString","message":"m"}',
    '{"type":"groups","id":1,"groups":[null]}',
  ])('%s is bad', (frame) => {
    expect(decodeDaemonControl(frame, { members: 2 })).toMatchObject({ kind: 'bad', code: 'BAD_FRAME' });
  });
});
