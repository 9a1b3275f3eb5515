/**
 * What a peer may make a decoder hold. Lengths are in bytes, counts in items.
 *
 * A decoder holds at most one frame besides the chunk being read, in a buffer of at most twice what has
 * arrived of it: a header that claims a gigabyte costs nothing.
 */
export interface Limits {
  /** Groups that one message may name. 100, as Spread: its clients count on no more, and keep arrays of that size. */
  readonly groups: number;
  /**
   * The data of one message. 16 MiB, as much as the bus carries in one piece; Spread stops at 144,000 with its
   * groups. Set it to 143,952 (`SPREAD_BODY_BYTES`) if receivers of that size are all you have.
   */
  readonly data: number;
  /**
   * Members in one membership message that a client reads. 65,536: a thousand sessions on each of 64 daemons.
   * A daemon doesn't read such messages.
   */
  readonly members: number;
  /**
   * Bytes that a client may send between its handshake and its admission. 4096: a proper client has nothing to
   * say before it knows its private group, but a hurried one shouldn't be cut off for a join.
   */
  readonly early: number;
}

export const DEFAULT_LIMITS: Limits = {
  groups: 100,
  data: 16 * 1024 * 1024,
  members: 65_536,
  early: 4096,
};

/** A group's name: 1 to 31 bytes, in a field of 32 that ends in a zero. Given by the frame's layout, so not settable. */
export const GROUP_NAME_BYTES = 31;
/** A session's private name: 1 to 10 bytes, so that `#name#daemon` fits a group's name. */
export const PRIVATE_NAME_BYTES = 10;
/** A daemon's name: 1 to 19 bytes, for the same reason. */
export const DAEMON_NAME_BYTES = 19;
/** The name of an authentication method, in a field of 30 bytes. Spread wants a zero behind it. */
export const METHOD_NAME_BYTES = 29;
/** Methods in a client's reply: its 90 bytes have room for three. */
export const METHODS = 3;
/** The longest list of methods that a client's library takes: it writes a zero behind it, in an array of 90. */
export const METHOD_LIST_BYTES = 89;
/** Data that fits a receiver with the largest buffer that Spread's own messages need: 144,000 less a header. Spread's daemon dies of less (143,153). */
export const SPREAD_BODY_BYTES = 143_952;

/** Defaults with the given ones on top. */
export function withDefaults(limits: Partial<Limits> | undefined): Limits {
  return limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits };
}
