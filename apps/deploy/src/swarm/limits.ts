/** What a swarm may cost a host. Peers are not trusted: each of these bounds something that one of them controls. */
export interface SwarmLimits {
  /** Connections, both ways together. A full mesh of 30 and some clients of others. */
  readonly connections: number;
  /** Of one message on the wire. The largest rightful ones are a block and a bitfield. */
  readonly messageBytes: number;
  /** Requests of one peer that wait for their answer; more and it is dropped. libtorrent's default is 500. */
  readonly requestsPerPeer: number;
  /** Of one requested block; BEP 3 lets clients hang up above 128 KiB. */
  readonly blockBytes: number;
  /** Pieces that are being fetched or written. A peer has less than 150 MB, and Node itself needs about 70. */
  readonly fetchingBytes: number;
  /** Pieces kept in memory because somebody may ask for them next. */
  readonly cacheBytes: number;
  /** The same at an origin, which fetches nothing, and gives each peer other pieces. */
  readonly originCacheBytes: number;
  /** Bytes handed to one socket and not yet taken by the kernel. */
  readonly socketBytes: number;
  /** Asked of one peer and not yet here. 1 MiB fills 10 Gbit/s for 0.8 ms, which is long in one building. */
  readonly pipelineBytes: number;
  /** Peers that are remembered as banned. */
  readonly banned: number;
  /** Answers of a tracker, which hold 6 bytes for each of at most some hundred peers. */
  readonly announceBytes: number;
  /** Requests that a web seed answers at one time. */
  readonly webSeedRequests: number;
}

export const SWARM_LIMITS: SwarmLimits = {
  connections: 80,
  messageBytes: 256 * 1024,
  requestsPerPeer: 1_000,
  blockBytes: 128 * 1024,
  fetchingBytes: 8 * 2 ** 20,
  cacheBytes: 12 * 2 ** 20,
  originCacheBytes: 24 * 2 ** 20,
  socketBytes: 256 * 1024,
  pipelineBytes: 2 ** 20,
  banned: 1_000,
  announceBytes: 64 * 1024,
  webSeedRequests: 32,
};

/** Smallest part of a piece that is asked for by itself: what every client serves (BEP 3). */
export const UNIT_BYTES: number = 16 * 1024;

/** What peers of this program ask each other for at once: a quarter of the messages. */
export const OWN_BLOCK_BYTES: number = 64 * 1024;

/** Without a byte for so long, a peer's requests go to others, and the swarm's to an origin's HTTP. */
export const PROGRESS_WITHIN_MS = 3_000;
