/**
 * A datagram -> a packet, or why it is none. Every length, count, order and id is checked here, so that what comes out
 * can be trusted to be well formed (and nothing more: whether it fits the ring is the ring's business).
 */
import { getU16, getU32, getU64 } from './bytes.ts';
import { checkChunks } from './chunks.ts';
import * as at from './layout.ts';
import { LIMITS } from './limits.ts';
import {
  type BadPacket,
  type Commit,
  type CommitEntry,
  type DataPacket,
  type Join,
  type Packet,
  PacketType,
  type Presence,
  type RingId,
  type Token,
  WIRE_VERSION,
} from './packets.ts';

/** Never throws. Data packets keep `bytes`: don't write to them afterwards. */
export function decodePacket(bytes: Uint8Array): Packet | BadPacket {
  if (bytes.length < at.HEADER_BYTES) return 'too-short';
  if (bytes.length > LIMITS.datagramBytes) return 'too-long';
  if (bytes[at.VERSION_AT] !== WIRE_VERSION) return 'bad-version';
  const type = bytes[at.TYPE_AT];
  if (type === PacketType.data) return decodeData(bytes, true);
  if (getU16(bytes, at.FLAGS_AT) !== 0) return 'bad-flags';
  const sender = getU32(bytes, at.SENDER_AT);
  const ring = ringOf(bytes, at.REPRESENTATIVE_AT);
  if (sender === 0 || ring.representative === 0) return 'bad-id';
  if (ring.sequence >= LIMITS.sequence) return 'bad-number';
  switch (type) {
    case PacketType.token:
      return decodeToken(bytes, sender, ring);
    case PacketType.hurry:
      return bytes.length === at.HEADER_BYTES ? { type, sender, ring } : 'bad-length';
    case PacketType.join:
      return decodeJoin(bytes, sender, ring);
    case PacketType.commit:
      return decodeCommit(bytes, sender, ring);
    case PacketType.presence:
      return decodePresence(bytes, sender, ring);
    default:
      return 'bad-type';
  }
}

/** The packet of an earlier ring that a recovered packet carries. */
export function decodeRecovered(packet: DataPacket): DataPacket | BadPacket {
  const bytes = packet.bytes.subarray(at.DATA_HEADER_BYTES);
  if (!packet.recovered || bytes.length < at.HEADER_BYTES) return 'too-short';
  if (bytes[at.VERSION_AT] !== WIRE_VERSION) return 'bad-version';
  if (bytes[at.TYPE_AT] !== PacketType.data) return 'bad-type';
  return decodeData(bytes, false);
}

// hot: once per data packet received.
function decodeData(bytes: Uint8Array, mayBeRecovered: boolean): DataPacket | BadPacket {
  if (bytes.length < at.DATA_HEADER_BYTES) return 'too-short';
  const flags = getU16(bytes, at.FLAGS_AT);
  const recovered = (flags & at.FLAG_RECOVERED) !== 0;
  if (flags > (at.FLAG_SAFE | at.FLAG_RECOVERED) || (recovered && !mayBeRecovered)) return 'bad-flags';
  const sender = getU32(bytes, at.SENDER_AT);
  const ring = ringOf(bytes, at.REPRESENTATIVE_AT);
  const sequence = getU32(bytes, at.DATA_SEQUENCE_AT);
  if (sender === 0 || ring.representative === 0) return 'bad-id';
  if (sequence === 0 || ring.sequence >= LIMITS.sequence) return 'bad-number';
  const packet: DataPacket = {
    type: PacketType.data,
    sender,
    ring,
    sequence,
    round: getU32(bytes, at.DATA_ROUND_AT),
    safe: (flags & at.FLAG_SAFE) !== 0,
    recovered,
    bytes,
  };
  if (recovered) {
    const inner = decodeRecovered(packet);
    return typeof inner === 'string' ? inner : packet;
  }
  return checkChunks(bytes) ? packet : 'bad-chunk';
}

function decodeToken(bytes: Uint8Array, sender: number, ring: RingId): Token | BadPacket {
  if (bytes.length < at.TOKEN_BYTES) return 'too-short';
  const count = getU16(bytes, at.TOKEN_COUNT_AT);
  if (count > LIMITS.requests) return 'bad-count';
  if (bytes.length !== at.TOKEN_BYTES + 4 * count) return 'bad-length';
  const requests: number[] = [];
  for (let i = 0; i < count; i++) requests.push(getU32(bytes, at.TOKEN_BYTES + 4 * i));
  const token: Token = {
    type: PacketType.token,
    sender,
    ring,
    tokenSequence: getU64(bytes, at.TOKEN_SEQUENCE_AT),
    sequence: getU32(bytes, at.TOKEN_HIGH_AT),
    aru: getU32(bytes, at.TOKEN_ARU_AT),
    aruSetter: getU32(bytes, at.TOKEN_SETTER_AT),
    flow: getU32(bytes, at.TOKEN_FLOW_AT),
    backlog: getU32(bytes, at.TOKEN_BACKLOG_AT),
    sent: getU16(bytes, at.TOKEN_SENT_AT),
    received: getU16(bytes, at.TOKEN_RECEIVED_AT),
    requests,
  };
  if (token.tokenSequence >= LIMITS.sequence || token.aru > token.sequence) return 'bad-number';
  if (token.sent > LIMITS.members || token.received > LIMITS.members) return 'bad-number';
  for (const sequence of requests) if (sequence === 0 || sequence > token.sequence) return 'bad-number';
  return token;
}

function decodeJoin(bytes: Uint8Array, sender: number, ring: RingId): Join | BadPacket {
  if (bytes.length < at.JOIN_BYTES) return 'too-short';
  const processCount = getU16(bytes, at.JOIN_PROCESSES_AT);
  const failedCount = getU16(bytes, at.JOIN_FAILED_AT);
  if (processCount === 0 || processCount > LIMITS.members || failedCount >= processCount) return 'bad-count';
  if (bytes.length !== at.JOIN_BYTES + 4 * (processCount + failedCount)) return 'bad-length';
  const processes = readIds(bytes, at.JOIN_BYTES, processCount);
  const failed = readIds(bytes, at.JOIN_BYTES + 4 * processCount, failedCount);
  if (processes === undefined || failed === undefined) return 'bad-order';
  if (!processes.includes(sender) || failed.includes(sender)) return 'bad-id';
  for (const id of failed) if (!processes.includes(id)) return 'bad-id';
  const incarnation = getU64(bytes, at.INCARNATION_AT);
  const usedSequence = getU64(bytes, at.JOIN_USED_AT);
  if (incarnation >= LIMITS.sequence || usedSequence >= LIMITS.sequence) return 'bad-number';
  const serial = getU32(bytes, at.SERIAL_AT);
  return { type: PacketType.join, sender, ring, incarnation, serial, usedSequence, processes, failed };
}

function decodePresence(bytes: Uint8Array, sender: number, ring: RingId): Presence | BadPacket {
  if (bytes.length < at.PRESENCE_BYTES) return 'too-short';
  const count = getU16(bytes, at.PRESENCE_COUNT_AT);
  if (count > LIMITS.members) return 'bad-count';
  if (bytes.length !== at.PRESENCE_BYTES + 4 * count) return 'bad-length';
  const heard = readIds(bytes, at.PRESENCE_BYTES, count);
  if (heard === undefined) return 'bad-order';
  const incarnation = getU64(bytes, at.INCARNATION_AT);
  if (incarnation >= LIMITS.sequence) return 'bad-number';
  return {
    type: PacketType.presence,
    sender,
    ring,
    incarnation,
    serial: getU32(bytes, at.SERIAL_AT),
    heard,
  };
}

function decodeCommit(bytes: Uint8Array, sender: number, ring: RingId): Commit | BadPacket {
  if (bytes.length < at.COMMIT_BYTES) return 'too-short';
  const count = getU16(bytes, at.COMMIT_COUNT_AT);
  if (count === 0 || count > LIMITS.members) return 'bad-count';
  if (bytes.length !== at.COMMIT_BYTES + at.COMMIT_ENTRY_BYTES * count) return 'bad-length';
  const members: CommitEntry[] = [];
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const from = at.COMMIT_BYTES + at.COMMIT_ENTRY_BYTES * i;
    const entry: CommitEntry = {
      id: getU32(bytes, from),
      filled: bytes[from + 4] === 1,
      ring: ringOf(bytes, from + 8),
      aru: getU32(bytes, from + 20),
      high: getU32(bytes, from + 24),
      delivered: getU32(bytes, from + 28),
      obligations: new Uint8Array(bytes.subarray(from + 32, from + at.COMMIT_ENTRY_BYTES)),
    };
    if (getU32(bytes, from + 4) > 1) return 'bad-flags';
    if (entry.id <= previous) return 'bad-order';
    if (entry.ring.sequence >= LIMITS.sequence || entry.delivered > entry.aru || entry.aru > entry.high) {
      return 'bad-number';
    }
    if (entry.filled && entry.ring.representative === 0) return 'bad-id';
    previous = entry.id;
    members.push(entry);
  }
  if (members[0]!.id !== ring.representative) return 'bad-id';
  return { type: PacketType.commit, sender, ring, hop: getU32(bytes, at.COMMIT_HOP_AT), members };
}

function ringOf(bytes: Uint8Array, from: number): RingId {
  return { representative: getU32(bytes, from), sequence: getU64(bytes, from + 4) };
}

/** Strictly ascending ids, or undefined. */
function readIds(bytes: Uint8Array, from: number, count: number): number[] | undefined {
  const ids: number[] = [];
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const id = getU32(bytes, from + 4 * i);
    if (id <= previous) return undefined;
    ids.push(id);
    previous = id;
  }
  return ids;
}
