/**
 * Bounds of what a ring packet may hold. They are part of the wire: both ends of a ring must have the same, so they
 * are constants and not settings.
 */
export const LIMITS = {
  /** Bytes of a datagram: the most that UDP over IPv4 carries. */
  datagramBytes: 65_507,
  /** Members of a ring, and processes that a join names: what the bitmap of obligations has bits for. */
  members: 128,
  /** Sequences that one token asks for again: 1 KiB of them, so that a token with them fits one Ethernet frame. */
  requests: 256,
  /** Ring sequences and token sequences stay below this, so that adding to them stays exact. */
  sequence: 4_503_599_627_370_496,
  /** Bytes of one message: a fragment tells the whole length in 32 bits, and no buffer may be larger than this. */
  messageBytes: 1_073_741_824,
} as const;
