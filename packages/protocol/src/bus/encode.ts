/** Packets -> datagrams. The values are the ring's own, so nothing is checked here but what would be written wrongly. */
import { putU16, putU32, putU64 } from './bytes.ts';
import * as at from './layout.ts';
import { type ControlPacket, type DataPacket, PacketType, type RingId, WIRE_VERSION } from './packets.ts';

export function encodeControl(packet: ControlPacket): Buffer {
  switch (packet.type) {
    case PacketType.token: {
      const { requests } = packet;
      const bytes = begin(packet, at.TOKEN_BYTES + 4 * requests.length);
      putU64(bytes, at.TOKEN_SEQUENCE_AT, packet.tokenSequence);
      putU32(bytes, at.TOKEN_HIGH_AT, packet.sequence);
      putU32(bytes, at.TOKEN_ARU_AT, packet.aru);
      putU32(bytes, at.TOKEN_SETTER_AT, packet.aruSetter);
      putU32(bytes, at.TOKEN_FLOW_AT, packet.flow);
      putU32(bytes, at.TOKEN_BACKLOG_AT, packet.backlog);
      putU16(bytes, at.TOKEN_SENT_AT, packet.sent);
      putU16(bytes, at.TOKEN_RECEIVED_AT, packet.received);
      putU16(bytes, at.TOKEN_COUNT_AT, requests.length);
      putIds(bytes, at.TOKEN_BYTES, requests);
      return bytes;
    }
    case PacketType.hurry:
      return begin(packet, at.HEADER_BYTES);
    case PacketType.join: {
      const { processes, failed } = packet;
      const bytes = begin(packet, at.JOIN_BYTES + 4 * (processes.length + failed.length));
      putU64(bytes, at.INCARNATION_AT, packet.incarnation);
      putU32(bytes, at.SERIAL_AT, packet.serial);
      putU64(bytes, at.JOIN_USED_AT, packet.usedSequence);
      putU16(bytes, at.JOIN_PROCESSES_AT, processes.length);
      putU16(bytes, at.JOIN_FAILED_AT, failed.length);
      putIds(bytes, putIds(bytes, at.JOIN_BYTES, processes), failed);
      return bytes;
    }
    case PacketType.presence: {
      const bytes = begin(packet, at.PRESENCE_BYTES + 4 * packet.heard.length);
      putU64(bytes, at.INCARNATION_AT, packet.incarnation);
      putU32(bytes, at.SERIAL_AT, packet.serial);
      putU16(bytes, at.PRESENCE_COUNT_AT, packet.heard.length);
      putIds(bytes, at.PRESENCE_BYTES, packet.heard);
      return bytes;
    }
    case PacketType.commit: {
      const bytes = begin(packet, at.COMMIT_BYTES + at.COMMIT_ENTRY_BYTES * packet.members.length);
      putU32(bytes, at.COMMIT_HOP_AT, packet.hop);
      putU16(bytes, at.COMMIT_COUNT_AT, packet.members.length);
      let from = at.COMMIT_BYTES;
      for (const entry of packet.members) {
        putU32(bytes, from, entry.id);
        putU32(bytes, from + 4, entry.filled ? 1 : 0);
        putRing(bytes, from + 8, entry.ring);
        putU32(bytes, from + 20, entry.aru);
        putU32(bytes, from + 24, entry.high);
        putU32(bytes, from + 28, entry.delivered);
        bytes.set(entry.obligations, from + 32);
        from += at.COMMIT_ENTRY_BYTES;
      }
      return bytes;
    }
  }
}

// hot: once per data packet sent. Fills the fields around chunks that stand in `bytes` already.
export function sealData(
  bytes: Uint8Array,
  sender: number,
  ring: RingId,
  sequence: number,
  round: number,
  safe: boolean,
  recovered = false,
): DataPacket {
  const flags = (safe ? at.FLAG_SAFE : 0) | (recovered ? at.FLAG_RECOVERED : 0);
  putHeader(bytes, PacketType.data, flags, sender, ring);
  putU32(bytes, at.DATA_SEQUENCE_AT, sequence);
  putU32(bytes, at.DATA_ROUND_AT, round % 0x1_0000_0000);
  return {
    type: PacketType.data,
    sender,
    ring,
    sequence,
    round: round % 0x1_0000_0000,
    safe,
    recovered,
    bytes,
  };
}

/** A packet of an earlier ring, put into one of this ring. */
export function wrapRecovered(
  old: DataPacket,
  sender: number,
  ring: RingId,
  sequence: number,
  round: number,
): DataPacket {
  const bytes = Buffer.allocUnsafe(at.DATA_HEADER_BYTES + old.bytes.length);
  bytes.set(old.bytes, at.DATA_HEADER_BYTES);
  return sealData(bytes, sender, ring, sequence, round, false, true);
}

function begin(packet: ControlPacket, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  putHeader(bytes, packet.type, 0, packet.sender, packet.ring);
  return bytes;
}

function putHeader(bytes: Uint8Array, type: number, flags: number, sender: number, ring: RingId): void {
  bytes[at.VERSION_AT] = WIRE_VERSION;
  bytes[at.TYPE_AT] = type;
  putU16(bytes, at.FLAGS_AT, flags);
  putU32(bytes, at.SENDER_AT, sender);
  putRing(bytes, at.REPRESENTATIVE_AT, ring);
}

function putRing(bytes: Uint8Array, from: number, ring: RingId): void {
  putU32(bytes, from, ring.representative);
  putU64(bytes, from + 4, ring.sequence);
}

function putIds(bytes: Uint8Array, from: number, ids: readonly number[]): number {
  let next = from;
  for (const id of ids) {
    putU32(bytes, next, id);
    next += 4;
  }
  return next;
}
