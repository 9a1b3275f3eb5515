/**
 * What a peer may make a decoder hold. Every length below is in bytes, every count in items.
 *
 * A decoder holds at most `getLine` + `body` bytes besides the chunk being read, in buffers of at most twice
 * that, and they grow only as bytes arrive: a header that claims a gigabyte costs nothing.
 */
export interface Limits {
  /**
   * A command line without its end, for everything but the reads with many keys.
   * 2048, as memcached: the longest useful line is two 250-byte keys and a handful of numbers or meta flags.
   */
  readonly line: number;
  /** The line of a get, gets, gat or gats. 65536: about 1,500 keys of 40 bytes, and one socket read. */
  readonly getLine: number;
  /** A key, on every wire. 250 is memcached's own limit, which clients count on. */
  readonly key: number;
  /**
   * A key of a read, with the options that Kestrel's clients append to it (`q/open/t=500`).
   * 250 + 64: the longest set of options takes 40. The server checks the bare name against `key`.
   */
  readonly readKey: number;
  /** Keys in one read. 2048: more than a client batches, and the reply stays countable. */
  readonly keys: number;
  /** A stored value. 16 MiB: bigger things belong in a file, with its name in the queue. */
  readonly body: number;
  /** Flags of one meta command. 24: each letter may come once, and no command takes more letters. */
  readonly metaFlags: number;
  /** The opaque token of a meta command. 32, as memcached. */
  readonly opaque: number;
  /** The id of a message (ms … U). 64: a UUID, or a SHA-256 in hex. */
  readonly id: number;
  /** The extras of a binary request. 20 is the most that any known opcode has (increment). */
  readonly extras: number;
}

export const DEFAULT_LIMITS: Limits = {
  line: 2048,
  getLine: 65_536,
  key: 250,
  readKey: 314,
  keys: 2048,
  body: 16 * 1024 * 1024,
  metaFlags: 24,
  opaque: 32,
  id: 64,
  extras: 20,
};

/** The longest body length that a text line may announce at all: memcached's INT_MAX - 2. */
export const MAX_ANNOUNCED_BODY = 0x7fff_fffd;

/** Defaults with the given ones on top. */
export function withDefaults(limits: Partial<Limits> | undefined): Limits {
  return limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits };
}
