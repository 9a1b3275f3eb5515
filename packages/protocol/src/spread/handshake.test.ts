import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  CHOICE,
  cutsOf,
  decodeAll,
  everyByte,
  HELLO,
  hex,
  ME,
  member,
  privateName,
  version,
} from '../../test/spread.ts';
import {
  BAD,
  type BadReason,
  type ClientInput,
  createClientDecoder,
  createDaemonDecoder,
  type DaemonDecoder,
  EncodeError,
  Output,
  readsRejects,
  readsSets,
  writeAccept,
  writeAuthenticate,
  writeConnect,
  writeJoin,
  writeMethods,
} from './index.ts';

const reads = (bytes: Buffer, cuts: readonly number[] = []): Record<string, unknown>[] =>
  decodeAll<ClientInput>(createDaemonDecoder(), bytes, cuts);
const V5 = { major: 5, minor: 0, patch: 1 };

describe('old clients', () => {
  it('3.14 and before send no patch, and 3.15 and before are let in without a choice of methods', () => {
    expect(reads(hex('030e 01 02 7a7a'))).toMatchObject([
      { kind: 'connect', version: { major: 3, minor: 14, patch: 0 }, name: 'zz', choosesMethod: false },
    ]);
    expect(reads(hex('030f02 01 02 7a7a'))).toMatchObject([
      { kind: 'connect', version: { major: 3, minor: 15, patch: 2 }, name: 'zz', choosesMethod: false },
    ]);
    expect(reads(hex('031002 01 02 7a7a'))).toMatchObject([
      { kind: 'connect', version: { major: 3, minor: 16, patch: 2 }, name: 'zz', choosesMethod: true },
    ]);
  });

  it('3.1 is the oldest that is let in', () => {
    expect(reads(hex('0301 01 02 7a7a'))).toMatchObject([{ kind: 'connect', name: 'zz' }]);
    for (const old of ['0300', '02ff', '0000', 'ff00', '8000']) {
      expect(reads(hex(old))).toMatchObject([{ kind: 'bad', reason: 'version', ends: true }]);
    }
  });

  it('know memberships of several sets from 4.0 on, and reject messages for sure from 5.0 on', () => {
    const knows = (major: number, minor: number): boolean[] => {
      const client = { major, minor, patch: 0 };
      return [readsSets(client), readsRejects(client)];
    };
    expect(knows(3, 17)).toEqual([false, false]);
    expect(knows(4, 0)).toEqual([true, false]);
    expect(knows(4, 99)).toEqual([true, false]);
    expect(knows(5, 0)).toEqual([true, true]);
  });

  it('get no patch before 3.15', () => {
    const accept = (minor: number): string =>
      bytesOf((out) => writeAccept(out, V5, '#a#b', { major: 3, minor, patch: 0 })).toString('latin1');
    expect(accept(14)).toBe('\x01\x05\x00\x04#a#b');
    expect(accept(15)).toBe('\x01\x05\x00\x01\x04#a#b');
  });
});

describe('the first words of a client', () => {
  it('may ask for a priority, for no memberships, and for a name', () => {
    expect(reads(hex('050001 f0 00'))).toMatchObject([{ priority: 15, membership: false, name: '' }]);
    expect(reads(hex('050001 11 00'))).toMatchObject([{ priority: 1, membership: true, name: '' }]);
  });

  it.each<[string, BadReason, string]>([
    ['a name of eleven bytes', 'illegal_name', '050001 01 0b'],
    ['a name of a negative length', 'illegal_name', '050001 01 ff'],
    ['a name with a #', 'illegal_name', '050001 01 02 7a23'],
    ['a name with a zero', 'illegal_name', '050001 01 02 7a00'],
    ['a name with a space', 'illegal_name', '050001 01 02 7a20'],
    ['a name with a byte of 0x7f', 'illegal_name', '050001 01 02 7a7f'],
    ['a request for a web page', 'illegal_name', Buffer.from('GET / HTTP/1.1').toString('hex')],
    ['no method', 'auth', `050001 01 01 7a ${'00'.repeat(90)}`],
    ['a method without an end', 'auth', `050001 01 01 7a ${'41'.repeat(90)}`],
  ])('%s is refused', (_, reason, bytes) => {
    const wire = hex(bytes);
    const item = { kind: 'bad', reason, ends: true };
    expect(BAD[reason].refusal).toBe(reason);
    // Whatever follows is not read.
    for (const cuts of [[], everyByte(wire)]) {
      expect(reads(Buffer.concat([wire, HELLO]), cuts).at(-1)).toMatchObject(item);
    }
  });

  it('up to three methods', () => {
    const choice = bytesOf((out) => writeAuthenticate(out, ['NULL', 'IP', 'x'.repeat(29)]));
    expect(choice).toHaveLength(90);
    expect(reads(Buffer.concat([HELLO, choice])).at(1)).toEqual({
      kind: 'authenticate',
      methods: ['NULL', 'IP', 'x'.repeat(29)],
    });
  });
});

describe('before it is admitted', () => {
  const admitted = (decoder: DaemonDecoder, input: ClientInput): void => {
    if (input.kind === 'authenticate') decoder.admit(ME);
  };

  it("a hurried client's join waits", () => {
    const decoder = createDaemonDecoder();
    decoder.push(Buffer.concat([HELLO, CHOICE, bytesOf((out) => writeJoin(out, ME, 'g'))]));
    expect([decoder.next()?.kind, decoder.next()?.kind, decoder.next()]).toEqual([
      'connect',
      'authenticate',
      undefined,
    ]);
    decoder.admit(ME);
    expect(decoder.next()).toEqual({ kind: 'join', group: 'g' });
  });

  it('one that pours bytes is cut off', () => {
    const decoder = createDaemonDecoder({ early: 100 });
    decoder.push(Buffer.concat([HELLO, CHOICE, Buffer.alloc(100)]));
    decoder.next();
    decoder.next();
    expect(decoder.next()).toBeUndefined();
    decoder.push(Buffer.alloc(1));
    expect(decoder.next()).toMatchObject({ kind: 'bad', reason: 'too_early', ends: true });
    expect(BAD.too_early.refusal).toBeUndefined();
    decoder.push(Buffer.alloc(1000));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('it is admitted once: its name stays', () => {
    const decoder = createDaemonDecoder();
    const join = bytesOf((out) => writeJoin(out, ME, 'g'));
    decoder.push(Buffer.concat([HELLO, CHOICE, join.subarray(0, 60)]));
    decoder.next();
    decoder.next();
    decoder.admit(ME);
    expect(decoder.next()).toBeUndefined();
    decoder.admit('#other#one');
    decoder.push(join.subarray(60));
    expect(decoder.next()).toEqual({ kind: 'join', group: 'g' });
  });

  it('an old client is admitted by its first words, and its frames follow', () => {
    const decoder = createDaemonDecoder();
    const bytes = Buffer.concat([hex('030f02 01 02 7a7a'), bytesOf((out) => writeJoin(out, ME, 'g'))]);
    const kinds = decodeAll<ClientInput>(decoder, bytes, everyByte(bytes), (input) => {
      if (input.kind === 'connect') decoder.admit(ME);
      admitted(decoder, input);
    }).map((item) => item.kind);
    expect(kinds).toEqual(['connect', 'join']);
  });
});

describe('a daemon that a client does not understand', () => {
  it.each([
    ['a list of methods too long for libspread', 'bad_methods', '5a'],
    ['a version before 3', 'version', '00 01 020000 05'],
    ['a version below zero', 'version', '00 01 800000 05'],
    ['a private group of 32 bytes', 'bad_private_group', '00 01 050001 20'],
    ['a private group that is none', 'bad_private_group', '00 01 050001 02 7a7a'],
  ])('%s', (_, reason, bytes) => {
    expect(decodeAll(createClientDecoder(), hex(bytes), []).at(-1)).toEqual({ kind: 'bad', reason });
  });
});

it('any two that follow the protocol understand each other, however the network cuts it', () => {
  fc.assert(
    fc.property(
      fc.record({
        name: fc.oneof(fc.constant(''), privateName),
        membership: fc.boolean(),
        priority: fc.nat(15),
        version,
      }),
      fc.constantFrom(['NULL'], ['IP'], ['NULL', 'IP']),
      member,
      version,
      cutsOf(110),
      (connecting, methods, group, daemon, cuts) => {
        const said = bytesOf((out) => writeConnect(out, connecting));
        const chosen = bytesOf((out) => writeAuthenticate(out, methods));
        const [connect, authenticate] = reads(Buffer.concat([said, chosen]), cuts);
        const { major, minor } = connecting.version;
        const sendsPatch = major > 3 || minor >= 15;
        const choosesMethod = major > 3 || minor >= 16;
        const patched = { ...connecting.version, patch: sendsPatch ? connecting.version.patch : 0 };
        expect(connect).toEqual({ kind: 'connect', ...connecting, version: patched, choosesMethod });
        if (choosesMethod) expect(authenticate).toEqual({ kind: 'authenticate', methods });

        const answers = bytesOf((out) => {
          if (choosesMethod) writeMethods(out, methods);
          writeAccept(out, daemon, group, connecting.version);
        });
        const accepted = decodeAll(createClientDecoder({}, connecting.version), answers, cuts);
        expect(accepted).toEqual([
          ...(choosesMethod ? [{ kind: 'methods', methods }] : []),
          {
            kind: 'accepted',
            version: { ...daemon, patch: sendsPatch ? daemon.patch : 0 },
            privateGroup: group,
          },
        ]);
      },
    ),
    { numRuns: 500 },
  );
});

it('a program that asks for what cannot be said gets an EncodeError, and no bytes are written', () => {
  const wrong: [string, (out: Output) => void][] = [
    ['invalid_name', (out) => writeConnect(out, { name: 'x'.repeat(11), membership: true })],
    ['invalid_name', (out) => writeConnect(out, { name: 'a#b', membership: true })],
    ['invalid_priority', (out) => writeConnect(out, { name: 'a', membership: true, priority: 16 })],
    [
      'invalid_version',
      (out) => writeConnect(out, { name: 'a', membership: true, version: { ...V5, minor: 128 } }),
    ],
    ['invalid_method', (out) => writeAuthenticate(out, [])],
    ['invalid_method', (out) => writeAuthenticate(out, ['a', 'b', 'c', 'd'])],
    ['invalid_method', (out) => writeAuthenticate(out, ['a b'])],
    ['invalid_method', (out) => writeMethods(out, ['x'.repeat(30)])],
    [
      'invalid_method',
      (out) =>
        writeMethods(
          out,
          Array.from({ length: 30 }, () => 'ab'),
        ),
    ],
    ['invalid_name', (out) => writeAccept(out, V5, 'g', V5)],
    ['invalid_version', (out) => writeAccept(out, { ...V5, major: -1 }, ME, V5)],
  ];
  for (const [code, write] of wrong) {
    const out = new Output();
    expect(() => write(out)).toThrow(EncodeError);
    expect(() => write(out)).toThrow(expect.objectContaining({ code }));
    expect(out.bytes).toBe(0);
  }
});
