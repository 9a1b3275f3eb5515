/** What a peer may make this end read. Bytes where it says so, characters for text, counts for the rest. */
export interface Limits {
  /**
   * The data of one message. 16 MiB, as much as the bus carries in one piece. A binary frame may be larger by
   * `FRAME_OVERHEAD_BYTES`.
   */
  readonly messageBytes: number;
  /** Groups that one message names. 100, as Spread: its clients may be among the receivers. */
  readonly groups: number;
  /**
   * Records in one binary frame. 65,536: a frame of the smallest ones is 1 MiB, so they are no reason to send more
   * of them at once, and what they become in memory is bounded.
   */
  readonly records: number;
  /**
   * Characters of a text frame that a daemon reads. 1 Mi: text is for requests and for people; larger messages go in
   * binary frames.
   */
  readonly requestText: number;
  /**
   * Characters of a text frame that a client reads. 128 Mi: a message of 16 MiB of control characters takes six for
   * each, and a view names its members twice.
   */
  readonly deliveryText: number;
  /** Sessions in a view, or groups in a list, that a client reads. 65,536: a thousand sessions on each of 64 daemons. */
  readonly members: number;
}

export const DEFAULT_LIMITS: Limits = {
  messageBytes: 16 * 1024 * 1024,
  groups: 100,
  records: 65_536,
  requestText: 1024 * 1024,
  deliveryText: 128 * 1024 * 1024,
  members: 65_536,
};

/** What a binary frame may have besides the data of one message: room for the names of its groups, or for small messages. */
export const FRAME_OVERHEAD_BYTES: number = 64 * 1024;
/** Given by a field of one byte. */
export const KEY_BYTES = 255;
/** A secret that a session or its user shows. 4,096 characters: a signed token fits. */
export const TOKEN_CHARACTERS = 4096;
/** Numbers of requests and deliveries stay exact below this. */
export const NUMBER_MAX: number = Number.MAX_SAFE_INTEGER;

/** Defaults with the given ones on top. */
export function withDefaults(limits: Partial<Limits> | undefined): Limits {
  return limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits };
}
