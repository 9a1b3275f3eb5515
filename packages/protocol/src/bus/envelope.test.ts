import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADDRESSES_MAX,
  counterOf,
  decodeAddresses,
  decodeProof,
  decodeQuestion,
  ENVELOPE_HEADER_BYTES,
  EnvelopeKind,
  encodeAddresses,
  encodeProof,
  encodeQuestion,
  INSTANCE_AT,
  INSTANCE_BYTES,
  isEnvelope,
  kindOf,
  NAME_BYTES_MAX,
  NONCE_BYTES,
  putEnvelope,
  QUESTION_BYTES,
  SEAL_BYTES,
  SealCode,
  sealCodeOf,
} from './index.ts';

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const port = fc.integer({ min: 1, max: 65_535 });
const group = fc.oneof(
  fc.constant('0'),
  fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16)),
);

describe('the envelope of a datagram', () => {
  it('says who sent it, its count, its seal and what is in it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(SealCode)),
        fc.constantFrom(...Object.values(EnvelopeKind)),
        bytes16,
        fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        (seal, kind, instance, counter) => {
          const bytes = Buffer.alloc(ENVELOPE_HEADER_BYTES, 0xff);
          putEnvelope(bytes, seal, kind, instance, counter);
          expect(isEnvelope(bytes)).toBe(true);
          expect([sealCodeOf(bytes), kindOf(bytes), counterOf(bytes)]).toEqual([seal, kind, counter]);
          expect(bytes.subarray(INSTANCE_AT, INSTANCE_AT + INSTANCE_BYTES)).toEqual(instance);
          for (let at = 0; at < ENVELOPE_HEADER_BYTES; at++) {
            expect(isEnvelope(bytes.subarray(0, at))).toBe(false);
          }
        },
      ),
    );
  });

  it('stands as it is designed', () => {
    const bytes = Buffer.alloc(ENVELOPE_HEADER_BYTES);
    putEnvelope(bytes, SealCode.gcm, EnvelopeKind.others, Buffer.alloc(16, 0xaa), 0x0605_0403_0201);
    expect(bytes.toString('hex')).toBe(`01020300${'aa'.repeat(16)}0102030405060000`);
  });

  it.each([
    ['another version', 0, 2],
    ['an unknown seal', 1, 3],
    ['an unknown kind', 2, 4],
    ['a reserved byte in use', 3, 1],
    ['another reserved byte in use', 27, 1],
  ])('is refused with %s', (_what, at, value) => {
    const bytes = Buffer.alloc(ENVELOPE_HEADER_BYTES);
    putEnvelope(bytes, SealCode.none, EnvelopeKind.packet, Buffer.alloc(16), 1);
    bytes[at] = value;
    expect(isEnvelope(bytes)).toBe(false);
  });
});

describe('a question and its proof', () => {
  it('come out as they went in, and the proof is never longer', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => Buffer.byteLength(text) <= NAME_BYTES_MAX && text.isWellFormed());
    const id = fc.integer({ min: 1, max: 2 ** 32 - 1 });
    const ageMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
    fc.assert(
      fc.property(bytes16, id, name, ageMs, (nonce, id, name, ageMs) => {
        const question = encodeQuestion(nonce);
        expect(decodeQuestion(question)).toEqual(nonce);
        const proof = encodeProof({ nonce, id, name, ageMs });
        expect(decodeProof(proof)).toEqual({ nonce, id, name, ageMs });
        expect(proof.length).toBeLessThanOrEqual(question.length);
      }),
    );
    const longest = { nonce: Buffer.alloc(NONCE_BYTES), id: 1, name: 'n'.repeat(NAME_BYTES_MAX), ageMs: 0 };
    expect(encodeProof(longest).length).toBe(QUESTION_BYTES);
    expect(() => encodeProof({ ...longest, name: 'é'.repeat(NAME_BYTES_MAX / 2 + 1) })).toThrow(RangeError);
  });

  it('are refused with another length, no id or no name', () => {
    const proof = encodeProof({ nonce: Buffer.alloc(NONCE_BYTES), id: 7, name: 'me', ageMs: 0 });
    expect(decodeProof(proof.subarray(0, proof.length - 1))).toBeUndefined();
    expect(decodeProof(Buffer.concat([proof, Buffer.alloc(1)]))).toBeUndefined();
    expect(decodeProof(proof.subarray(0, NONCE_BYTES + 11))).toBeUndefined();
    proof.fill(0, NONCE_BYTES, NONCE_BYTES + 4);
    expect(decodeProof(proof)).toBeUndefined();
    expect(decodeQuestion(Buffer.alloc(NONCE_BYTES))).toBeUndefined();
    expect(decodeQuestion(Buffer.alloc(QUESTION_BYTES + 1))).toBeUndefined();
  });
});

describe('addresses', () => {
  it('of IPv4 come out as they went in, of IPv6 the same in long form', () => {
    const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 }).filter((all) => all[5] !== 'ffff');
    fc.assert(
      fc.property(fc.ipV4(), ipv6, port, (host4, groups, port) => {
        const addresses = [host4, groups.join(':')].map((host) => ({ host, port }));
        expect(decodeAddresses(encodeAddresses(addresses))).toEqual(addresses);
      }),
    );
    const given = ['::1', 'fd00::2', '::', '1::', '::ffff:10.0.0.1'].map((host) => ({ host, port: 9 }));
    expect(decodeAddresses(encodeAddresses(given))?.map(({ host }) => host)).toEqual([
      '0:0:0:0:0:0:0:1',
      'fd00:0:0:0:0:0:0:2',
      '0:0:0:0:0:0:0:0',
      '1:0:0:0:0:0:0:0',
      '10.0.0.1',
    ]);
  });

  it('with names or zones are left out', () => {
    const given = ['host.example', 'fe80::1%eth0', '1:2', '10.0.0.1'].map((host) => ({ host, port: 9 }));
    expect(decodeAddresses(encodeAddresses(given))).toEqual([{ host: '10.0.0.1', port: 9 }]);
  });

  it('fit, with seal and headers, into what every IPv6 network carries', () => {
    const many = encodeAddresses(new Array(ADDRESSES_MAX).fill({ host: '10.0.0.1', port: 9 }));
    expect(ENVELOPE_HEADER_BYTES + many.length + SEAL_BYTES + 48).toBeLessThanOrEqual(1280);
    expect(decodeAddresses(many)).toHaveLength(ADDRESSES_MAX);
    many[0] = ADDRESSES_MAX + 1;
    expect(decodeAddresses(many)).toBeUndefined();
    expect(decodeAddresses(Buffer.alloc(0))).toBeUndefined();
  });
});
