/** Every limit and time of the ring, with its default; the reasons stand in docs/internals/ring.md. */
import { DATA_HEADER_BYTES, LIMITS } from '@rookery/protocol/bus';

export interface RingSettings {
  /** No token for so long: the ring is broken. */
  readonly tokenLossMs: number;
  /** No sign that the token went on: it is sent again. */
  readonly tokenAgainMs: number;
  /** How long the representative keeps an idle token. */
  readonly holdMs: number;
  /** A join is sent again after this. */
  readonly joinMs: number;
  /** Who doesn't agree within this, in gather, has failed. */
  readonly consensusMs: number;
  readonly commitLossMs: number;
  readonly commitAgainMs: number;
  /** How often a ring says that it is there. */
  readonly presenceMs: number;
  /** A member that receives nothing new for so long, while there is something, has failed. */
  readonly receiveFailureMs: number;
  /** A tick that comes so late means that this process was stopped … */
  readonly stallMs: number;
  /** … and then deadlines wait so long for what the socket holds. */
  readonly stallGraceMs: number;
  readonly mergeBackoffMs: number;
  readonly mergeBackoffMaxMs: number;

  /** Bytes of a datagram. All members must have the same, or less than what their network carries whole. */
  readonly datagramBytes: number;
  /** Bytes of the largest message. All members must have the same. */
  readonly messageBytes: number;
  /** Bytes of messages that wait for the token; beyond it `submit` refuses. */
  readonly queueBytes: number;
  /** Packets that one member sends at a visit of the token. */
  readonly visitPackets: number;
  /** Packets that all send in a rotation. */
  readonly windowPackets: number;
  /** Of a visit's packets, how many follow the token instead of preceding it. */
  readonly acceleratedPackets: number;
  /** Sequences between what all have and the newest. */
  readonly spanPackets: number;
  readonly requestsPerToken: number;
  /** Highest sequence of a ring; then a new one is formed. At least four times `spanPackets` and two of the longest messages. */
  readonly sequenceMax: number;
  /** Ring sequences that are stored ahead at a time. */
  readonly ringSequenceBlock: number;
}

export const DEFAULT_SETTINGS: RingSettings = {
  tokenLossMs: 280,
  tokenAgainMs: 15,
  holdMs: 40,
  joinMs: 20,
  consensusMs: 120,
  commitLossMs: 150,
  commitAgainMs: 10,
  presenceMs: 100,
  receiveFailureMs: 1500,
  stallMs: 50,
  stallGraceMs: 20,
  mergeBackoffMs: 250,
  mergeBackoffMaxMs: 2000,
  datagramBytes: 1472,
  messageBytes: 16 * 1024 * 1024,
  queueBytes: 32 * 1024 * 1024,
  visitPackets: 40,
  windowPackets: 160,
  acceleratedPackets: 20,
  spanPackets: 2048,
  requestsPerToken: 64,
  sequenceMax: 2 ** 32 - 2 ** 16,
  ringSequenceBlock: 64,
};

/** @throws RangeError naming the setting that can't work */
export function checkSettings(settings: RingSettings): void {
  const within = (name: keyof RingSettings, low: number, high: number): void => {
    const value = settings[name];
    if (!(value >= low && value <= high)) {
      throw new RangeError(`${name} is ${value}, but must be from ${low} to ${high}.`);
    }
  };
  within('datagramBytes', 256, LIMITS.datagramBytes);
  within('messageBytes', 1, LIMITS.messageBytes);
  within('queueBytes', settings.messageBytes, Number.MAX_SAFE_INTEGER);
  within('visitPackets', 1, 4096);
  within('windowPackets', settings.visitPackets, 65_536);
  within('acceleratedPackets', 0, settings.visitPackets);
  within('spanPackets', settings.windowPackets, 65_536);
  within('requestsPerToken', 1, LIMITS.requests);
  // A message begins anew in each ring, so the longest must fit into one, beside what recovery takes.
  const longest = Math.ceil(settings.messageBytes / (settings.datagramBytes - 2 * DATA_HEADER_BYTES - 8));
  within('sequenceMax', 4 * settings.spanPackets + 2 * longest, 2 ** 32 - 1);
  within('ringSequenceBlock', 1, 1_000_000);
  within('tokenLossMs', settings.holdMs + 2 * settings.tokenAgainMs, 600_000);
}
