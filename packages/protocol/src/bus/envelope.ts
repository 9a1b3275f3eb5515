/**
 * What goes around each datagram between daemons: who sent it, its place among what that one sent, and a seal. Bytes
 * only; seals are the transport's. docs/internals/bus.md has the layout and what it is for.
 */
import { getU16, getU32, putU16, putU32 } from './bytes.ts';

const ENVELOPE_VERSION = 1;
export const ENVELOPE_HEADER_BYTES = 28;
export const SEAL_BYTES = 16;
export const INSTANCE_BYTES = 16;
export const INSTANCE_AT = 4;
const COUNTER_AT = 20;

/** What the second byte says. `none` has no seal behind its body. */
export const SealCode = { none: 0, hmac: 1, gcm: 2 } as const;
export type SealCode = (typeof SealCode)[keyof typeof SealCode];

export const EnvelopeKind = { packet: 0, whoAreYou: 1, thisIsMe: 2, others: 3 } as const;
export type EnvelopeKind = (typeof EnvelopeKind)[keyof typeof EnvelopeKind];

export const NONCE_BYTES = 16;
/** UTF-8. Bounds the answer, and with it the question. */
export const NAME_BYTES_MAX = 64;
const PROOF_HEADER_BYTES = NONCE_BYTES + 4 + 6 + 1;
/** A question is as long as the longest answer, so that an answer never is more than what asked for it. */
export const QUESTION_BYTES: number = PROOF_HEADER_BYTES + NAME_BYTES_MAX;

const ADDRESS_BYTES = 18;
/** Addresses in one datagram: with envelope and headers within the 1280 bytes that every IPv6 network carries. */
export const ADDRESSES_MAX = 64;

export interface Proof {
  /** Of the question that it answers. */
  readonly nonce: Buffer;
  readonly id: number;
  readonly name: string;
  /** How long the instance has lived, when it wrote this. */
  readonly ageMs: number;
}

export interface PeerAddress {
  /** IPv4 in dotted form, or IPv6 in any. */
  readonly host: string;
  readonly port: number;
}

// hot: once per datagram sent. Counters stay below 2^48.
export function putEnvelope(
  bytes: Uint8Array,
  seal: SealCode,
  kind: EnvelopeKind,
  instance: Uint8Array,
  counter: number,
): void {
  bytes[0] = ENVELOPE_VERSION;
  bytes[1] = seal;
  bytes[2] = kind;
  bytes[3] = 0;
  bytes.set(instance, INSTANCE_AT);
  putU32(bytes, COUNTER_AT, counter % 0x1_0000_0000);
  putU16(bytes, COUNTER_AT + 4, Math.floor(counter / 0x1_0000_0000));
  putU16(bytes, COUNTER_AT + 6, 0);
}

// hot: once per datagram received.
/** Whether this is an envelope of this version, whatever its seal. The rest may be read only if it is. */
export function isEnvelope(bytes: Uint8Array): boolean {
  if (bytes.length < ENVELOPE_HEADER_BYTES || bytes[0] !== ENVELOPE_VERSION || bytes[3] !== 0) return false;
  return bytes[1]! <= SealCode.gcm && bytes[2]! <= EnvelopeKind.others && getU16(bytes, COUNTER_AT + 6) === 0;
}

export function sealCodeOf(bytes: Uint8Array): SealCode {
  return bytes[1] as SealCode;
}

export function kindOf(bytes: Uint8Array): EnvelopeKind {
  return bytes[2] as EnvelopeKind;
}

export function counterOf(bytes: Uint8Array): number {
  return getU32(bytes, COUNTER_AT) + getU16(bytes, COUNTER_AT + 4) * 0x1_0000_0000;
}

/** A random number of ours, and filling up to the length of the longest answer. */
export function encodeQuestion(nonce: Buffer): Buffer {
  const body = Buffer.alloc(QUESTION_BYTES);
  body.set(nonce);
  return body;
}

/** The nonce, not copied. `undefined` for what is no question. */
export function decodeQuestion(body: Buffer): Buffer | undefined {
  return body.length === QUESTION_BYTES ? body.subarray(0, NONCE_BYTES) : undefined;
}

/** @throws RangeError if the name is empty or too long */
export function encodeProof(proof: Proof): Buffer {
  const name = Buffer.from(proof.name, 'utf8');
  if (name.length === 0 || name.length > NAME_BYTES_MAX) {
    throw new RangeError(`A daemon's name has 1 to ${NAME_BYTES_MAX} bytes, not ${name.length}.`);
  }
  const body = Buffer.allocUnsafe(PROOF_HEADER_BYTES + name.length);
  body.set(proof.nonce);
  putU32(body, NONCE_BYTES, proof.id);
  body.writeUIntLE(Math.min(Math.max(0, Math.floor(proof.ageMs)), 2 ** 48 - 1), NONCE_BYTES + 4, 6);
  body[PROOF_HEADER_BYTES - 1] = name.length;
  body.set(name, PROOF_HEADER_BYTES);
  return body;
}

/** `undefined` for what is no proof. Never throws. */
export function decodeProof(body: Buffer): Proof | undefined {
  if (body.length < PROOF_HEADER_BYTES + 1) return undefined;
  const length = body[PROOF_HEADER_BYTES - 1]!;
  const id = getU32(body, NONCE_BYTES);
  if (id === 0 || length > NAME_BYTES_MAX || body.length !== PROOF_HEADER_BYTES + length) return undefined;
  return {
    nonce: body.subarray(0, NONCE_BYTES),
    id,
    name: body.toString('utf8', PROOF_HEADER_BYTES),
    ageMs: body.readUIntLE(NONCE_BYTES + 4, 6),
  };
}

/** @param addresses at most `ADDRESSES_MAX`, of which those that are no plain IP addresses are left out */
export function encodeAddresses(addresses: readonly PeerAddress[]): Buffer {
  const body = Buffer.alloc(1 + ADDRESS_BYTES * addresses.length);
  let count = 0;
  for (const { host, port } of addresses) {
    const at = 1 + ADDRESS_BYTES * count;
    if (!putHost(body, at, host)) continue;
    putU16(body, at + 16, port);
    count++;
  }
  body[0] = count;
  return body.subarray(0, 1 + ADDRESS_BYTES * count);
}

/** `undefined` for what is no list of addresses. Never throws. */
export function decodeAddresses(body: Buffer): PeerAddress[] | undefined {
  const count = body[0];
  if (count === undefined || count > ADDRESSES_MAX || body.length !== 1 + ADDRESS_BYTES * count)
    return undefined;
  const addresses: PeerAddress[] = [];
  for (let i = 0; i < count; i++) {
    const at = 1 + ADDRESS_BYTES * i;
    const port = getU16(body, at + 16);
    if (port === 0) return undefined;
    addresses.push({ host: hostAt(body, at), port });
  }
  return addresses;
}

/** 16 bytes: IPv6, or IPv4 mapped into it. */
function putHost(body: Uint8Array, at: number, host: string): boolean {
  const mapped = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host);
  if (mapped !== null) {
    body.fill(0, at, at + 10);
    body.fill(0xff, at + 10, at + 12);
    for (let i = 0; i < 4; i++) body[at + 12 + i] = Number(mapped[1 + i]);
    return true;
  }
  const halves = host.split('::');
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const count = groups.reduce((sum, half) => sum + half.length, 0);
  if (halves.length > 2 || count > 8 || (halves.length === 1 && count !== 8)) return false;
  const all = [...groups[0]!, ...new Array<string>(8 - count).fill('0'), ...(groups[1] ?? [])];
  for (const [index, group] of all.entries()) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return false;
    const value = Number.parseInt(group, 16);
    body[at + 2 * index] = value >>> 8;
    body[at + 2 * index + 1] = value;
  }
  return true;
}

function hostAt(body: Buffer, at: number): string {
  const isMapped = body.readUIntBE(at, 6) === 0 && body.readUIntBE(at + 6, 6) === 0xffff;
  if (isMapped) return body.subarray(at + 12, at + 16).join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(body.readUInt16BE(at + i).toString(16));
  return groups.join(':');
}
