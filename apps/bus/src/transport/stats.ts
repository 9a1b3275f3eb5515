/** Counters of a transport, from its start. */
export interface TransportStats {
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
  /** Of the ring, authentic and fresh. */
  packets: number;
  /** Our own multicasts that came back. */
  own: number;
  /** No envelope of this version, or nothing sensible in a good one. */
  malformed: number;
  /** Sealed in another way than ours. */
  otherSeal: number;
  /** Another secret, or altered on the way. */
  badSeal: number;
  /** Seen before, or too old to tell. */
  replayed: number;
  /** Of an instance that hasn't proven that it lives. */
  unproven: number;
  /** Proofs that answer no question of ours. */
  badProof: number;
  /** Packets for a member whose address isn't known. */
  unknownMember: number;
  sendErrors: number;
  /** Not sent, because the socket had too much waiting. */
  sendDropped: number;
  /** Questions and answers. */
  asked: number;
  answered: number;
  /** Questions and answers that rates forbade. */
  limited: number;
  /** Two instances under one id, ours or another's. */
  conflicts: number;
}

export function createStats(): TransportStats {
  return {
    sent: 0,
    sentBytes: 0,
    received: 0,
    receivedBytes: 0,
    packets: 0,
    own: 0,
    malformed: 0,
    otherSeal: 0,
    badSeal: 0,
    replayed: 0,
    unproven: 0,
    badProof: 0,
    unknownMember: 0,
    sendErrors: 0,
    sendDropped: 0,
    asked: 0,
    answered: 0,
    limited: 0,
    conflicts: 0,
  };
}
