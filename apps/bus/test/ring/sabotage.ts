/** Rings that are at fault in one way each: what the checker has to find. They are bent from outside. */
import {
  type Commit,
  DATA_HEADER_BYTES,
  decodePacket,
  encodeControl,
  type Packet,
  PacketType,
  type Token,
} from '@rookery/protocol/bus';
import type { Ring, RingOutput } from '../../src/index.ts';
import type { Bend } from './member.ts';

/** Where the flags and the ring's sequence stand in a data packet. */
const FLAGS_AT = 2;
const RING_SEQUENCE_AT = 12;

/** A ring whose datagrams and outputs go through what is given. */
function around(
  incoming: (bytes: Uint8Array) => Uint8Array,
  outgoing: (outputs: readonly RingOutput[]) => readonly RingOutput[],
): NonNullable<Bend['ring']> {
  return (ring: Ring) => ({
    receive: (now, bytes) => ring.receive(now, incoming(bytes)),
    submit: (now, service, payload) => ring.submit(now, service, payload),
    enqueue: (now, service, payload) => ring.enqueue(now, service, payload),
    urge: (now) => ring.urge(now),
    tick: (now) => ring.tick(now),
    stored: (now, sequence) => ring.stored(now, sequence),
    take: () => outgoing(ring.take()),
    get deadline() {
      return ring.deadline;
    },
    get prefersToken() {
      return ring.prefersToken;
    },
    get status() {
      return ring.status;
    },
  });
}

const asItIs = <T>(value: T): T => value;

function onData(change: (copy: Buffer, packet: Packet) => void): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const packet = decodePacket(bytes);
    if (typeof packet === 'string' || packet.type !== PacketType.data) return bytes;
    const copy = Buffer.from(bytes);
    change(copy, packet);
    return copy;
  };
}

function onControl(
  change: (packet: Token | Commit) => Token | Commit,
): (outputs: readonly RingOutput[]) => readonly RingOutput[] {
  return (outputs) =>
    outputs.map((output) => {
      if (output.kind !== 'unicast') return output;
      const packet = decodePacket(output.bytes);
      if (typeof packet === 'string') return output;
      if (packet.type !== PacketType.token && packet.type !== PacketType.commit) return output;
      return { ...output, bytes: encodeControl(change(packet)) };
    });
}

function only(id: number, bend: NonNullable<Bend['ring']>): Bend {
  return { ring: (ring, of) => (of === id ? bend(ring, of) : ring) };
}

/** By what is wrong with it. */
export const SABOTAGES: Readonly<Record<string, Bend>> = {
  'delivers safe messages before everybody has them': only(
    2,
    around(
      onData((copy) => {
        copy[FLAGS_AT] = copy[FLAGS_AT]! & ~1;
      }),
      asItIs,
    ),
  ),
  'takes nothing from recovery': only(
    2,
    around(
      onData((copy, packet) => {
        // An old ring that it never was in.
        if (packet.type === PacketType.data && packet.recovered)
          copy[DATA_HEADER_BYTES + RING_SEQUENCE_AT]! ^= 0x80;
      }),
      asItIs,
    ),
  ),
  'says that it has what it lacks': only(
    2,
    around(
      asItIs,
      onControl((packet) =>
        packet.type === PacketType.token
          ? { ...packet, aru: packet.sequence, aruSetter: 0, requests: [] }
          : packet,
      ),
    ),
  ),
  'hides what it has delivered': {
    ring: around(
      asItIs,
      onControl((packet) =>
        packet.type === PacketType.commit
          ? { ...packet, members: packet.members.map((entry) => ({ ...entry, delivered: 0 })) }
          : packet,
      ),
    ),
  },
  'swaps two messages in the transitional configuration': only(
    2,
    around(asItIs, (outputs) => {
      const swapped = [...outputs];
      const at = swapped.findIndex((output, index) => {
        const next = swapped[index + 1];
        return (
          output.kind === 'deliver' &&
          output.configuration.kind === 'transitional' &&
          next?.kind === 'deliver' &&
          next.configuration === output.configuration
        );
      });
      if (at >= 0) [swapped[at], swapped[at + 1]] = [swapped[at + 1]!, swapped[at]!];
      return swapped;
    }),
  ),
  'leaves out one message in a thousand': only(
    2,
    around(asItIs, (outputs) =>
      outputs.filter((output) => output.kind !== 'deliver' || output.payload.readUInt32LE() % 1000 !== 7),
    ),
  ),
  'delivers one message in a thousand twice': only(
    2,
    around(asItIs, (outputs) =>
      outputs.flatMap((output) =>
        output.kind === 'deliver' && output.payload.readUInt32LE() % 1000 === 7 ? [output, output] : [output],
      ),
    ),
  ),
  'loses its ring sequence with its memory': { forgetsRingSequence: true },
};
