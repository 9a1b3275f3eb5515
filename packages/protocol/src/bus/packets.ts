/**
 * What goes over the ring's wire, as values. Member ids are integers from 1 to 2^32 - 1; 0 stands for nobody.
 * The meaning of each packet: docs/internals/ring.md.
 */

export const WIRE_VERSION = 1;

export const PacketType = { data: 1, token: 2, hurry: 3, join: 4, commit: 5, presence: 6 } as const;

/** A ring's identity: who formed it, and a number that this member never used before. */
export interface RingId {
  readonly representative: number;
  readonly sequence: number;
}

interface PacketHeader {
  /** Who made the packet (not who sent it again). */
  readonly sender: number;
  readonly ring: RingId;
}

/** Messages and fragments, with a place in the ring's order. `bytes` is the whole datagram and is kept, not copied. */
export interface DataPacket extends PacketHeader {
  readonly type: typeof PacketType.data;
  /** Place in the order of this ring, from 1. */
  readonly sequence: number;
  /** The low 32 bits of the token's sequence when it was sent: tells a later round from an earlier one. */
  readonly round: number;
  /** A message in it asks for safe delivery. */
  readonly safe: boolean;
  /** The body is a data packet of an earlier ring, being recovered. */
  readonly recovered: boolean;
  readonly bytes: Uint8Array;
}

export interface Token extends PacketHeader {
  readonly type: typeof PacketType.token;
  /** One more at each hop. */
  readonly tokenSequence: number;
  /** The highest sequence in use. */
  readonly sequence: number;
  /** All have received up to here, as far as known in this rotation. */
  readonly aru: number;
  /** Who lowered `aru`; 0: nobody. */
  readonly aruSetter: number;
  /** Packets multicast during the last rotation. */
  readonly flow: number;
  /** Packets that waited to be sent during the last rotation. */
  readonly backlog: number;
  /** Recovery: members that have sent all that they had of their old ring. */
  readonly sent: number;
  /** Recovery: members that have received all of it. */
  readonly received: number;
  /** Sequences that somebody misses. */
  readonly requests: readonly number[];
}

/** Asks whoever holds an idle token to let it go. */
export interface Hurry extends PacketHeader {
  readonly type: typeof PacketType.hurry;
}

/** What a process wants the next ring to be. */
export interface Join extends PacketHeader {
  readonly type: typeof PacketType.join;
  /** Another one at each start of the process, and `serial` one more in each join or presence: late ones show. */
  readonly incarnation: number;
  readonly serial: number;
  /** The highest ring sequence that the sender has taken part in. */
  readonly usedSequence: number;
  /** Ascending. */
  readonly processes: readonly number[];
  /** Ascending; some of `processes`. */
  readonly failed: readonly number[];
}

/** One member's line in the commit token. */
export interface CommitEntry {
  readonly id: number;
  /** The member has passed the token on. The rest means something only then. */
  readonly filled: boolean;
  /** The ring it comes from. */
  readonly ring: RingId;
  /** It holds all packets of that ring up to here … */
  readonly aru: number;
  /** … none above here … */
  readonly high: number;
  /** … and has delivered up to here. */
  readonly delivered: number;
  /** Members of the old ring, by their place in it, whose messages it has promised to deliver: 128 bits. */
  readonly obligations: Uint8Array;
}

/** Goes round a ring to be, twice. `ring` is the new ring's identity. */
export interface Commit extends PacketHeader {
  readonly type: typeof PacketType.commit;
  readonly hop: number;
  /** Ascending by id: the order of the ring. */
  readonly members: readonly CommitEntry[];
}

/** "This ring is here": lets rings find each other when a network heals. */
export interface Presence extends PacketHeader {
  readonly type: typeof PacketType.presence;
  readonly incarnation: number;
  readonly serial: number;
  /** Strangers that the sender has heard lately, ascending. Who finds himself here knows that both directions work. */
  readonly heard: readonly number[];
}

export type Packet = DataPacket | Token | Hurry | Join | Commit | Presence;
export type ControlPacket = Exclude<Packet, DataPacket>;

/** Why a datagram is none of ours. */
export type BadPacket =
  | 'too-short'
  | 'too-long'
  | 'bad-version'
  | 'bad-type'
  | 'bad-flags'
  | 'bad-id'
  | 'bad-number'
  | 'bad-count'
  | 'bad-order'
  | 'bad-chunk'
  | 'bad-length';
