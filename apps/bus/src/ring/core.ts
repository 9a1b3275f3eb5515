/** The state of a ring, which the files beside this one work on. Each field says who changes it. */
import {
  type Commit,
  type CommitEntry,
  LIMITS,
  type Packet,
  type RingId,
  type Token,
} from '@rookery/protocol/bus';
import { Peers } from './membership/peers.ts';
import { Reassembly } from './reassembly.ts';
import { SendQueue } from './send-queue.ts';
import type { RingSettings } from './settings.ts';
import type { Configuration, RingOutput } from './types.ts';
import { Window } from './window.ts';

export type State = 'starting' | 'gather' | 'commit' | 'recovery' | 'operational';

/** One ring that this process is, or was last, a member of. */
export interface RingState {
  readonly id: RingId;
  /** Ascending: the order in which the token goes. */
  readonly members: readonly number[];
  readonly next: number;
  readonly predecessor: number;
  readonly window: Window;
  /** Senders whose messages this process has promised to deliver, should the ring after this one fail. */
  obligations: ReadonlySet<number>;

  // What the visits of the token leave behind (token.ts, operational.ts).
  /** Of the last token taken; -1 before the first. */
  tokenTaken: number;
  /** Of the last token sent on. */
  tokenSent: number;
  visits: number;
  /** The highest sequence at the visit before: what is missing up to here is asked for. */
  requestTo: number;
  aruSent: number;
  flow: number;
  backlog: number;
  /** At the last visit nothing was left to do: the representative may be keeping the token. */
  idle: boolean;
  hurried: boolean;
  /** Since when the aru stands still under somebody's signature. */
  stuck:
    | { readonly setter: number; readonly aru: number; readonly sinceMs: number; visits: number }
    | undefined;
}

/** What recovery on a new ring knows (membership/recovery.ts). */
export interface Recovery {
  readonly companions: readonly number[];
  /** Sequences of the old ring that are ours to send again, ascending; `nextAt` is the first not yet sent. */
  readonly toSend: readonly number[];
  nextAt: number;
  /** Sequences of the old ring that have gone by on the new one. */
  readonly seen: Set<number>;
  /** What the companions delivered in the old ring, at most. */
  readonly deliveredByAny: number;
  /** The promise that goes with "received". */
  readonly obligations: ReadonlySet<number>;
  saidSent: boolean;
  saidReceived: boolean;
  /** The new ring's packets up to here are recovery's. */
  lastSequence: number;
}

/** A commit token that this process takes part in (membership/commit.ts). */
export interface Forming {
  readonly ring: RingId;
  readonly members: readonly number[];
  hop: number;
  /** Waits for the ring sequence to be stored. */
  waiting: Commit | undefined;
  entries: readonly CommitEntry[];
}

export interface Deadlines {
  tokenLoss: number;
  again: number;
  hold: number;
  hurry: number;
  join: number;
  consensus: number;
  commitLoss: number;
  presence: number;
}

export interface RingStats {
  tokens: number;
  packetsSent: number;
  retransmissions: number;
  packetsReceived: number;
  badPackets: number;
  gathers: number;
  installed: number;
}

export interface Core {
  readonly id: number;
  readonly settings: RingSettings;
  now: number;
  outputs: RingOutput[];
  /** Packets to myself: a ring of one. */
  readonly looped: Packet[];
  readonly queue: SendQueue;
  readonly reassembly: Reassembly;
  readonly stats: RingStats;

  state: State;
  /** The last ring that was installed; its window holds what may have to be recovered. */
  installed: RingState;
  /** The ring whose token counts: the one being recovered on, else the installed one. */
  current: RingState;
  configuration: Configuration | undefined;
  recovery: Recovery | undefined;
  forming: Forming | undefined;

  held: Token | undefined;
  hurryCame: boolean;
  tokenFirst: boolean;
  /** The token or commit token that is sent again until something shows that it arrived. */
  again: { readonly to: number; readonly bytes: Uint8Array; readonly everyMs: number } | undefined;

  // Gather (membership/gather.ts).
  processes: Set<number>;
  failed: Set<number>;
  agreed: Set<number>;
  readonly incarnation: number;
  serial: number;
  /** The highest ring sequence that this process took part in … */
  usedSequence: number;
  /** … that is known to be on disk, and that is on its way there … */
  storedSequence: number;
  storingSequence: number;
  /** … and that it heard of. */
  knownSequence: number;
  readonly peers: Peers;
  lastPresenceMs: number;

  readonly deadlines: Deadlines;
  /** Until then what comes may have waited in the socket while this process was stopped (timers.ts). */
  graceUntilMs: number;
}

export function createCore(id: number, now: number, stored: number, settings: RingSettings): Core {
  const alone = createRingState(id, { representative: id, sequence: stored }, [id], settings);
  return {
    id,
    settings,
    now,
    outputs: [],
    looped: [],
    queue: new SendQueue(settings.datagramBytes),
    reassembly: new Reassembly(settings.messageBytes),
    stats: {
      tokens: 0,
      packetsSent: 0,
      retransmissions: 0,
      packetsReceived: 0,
      badPackets: 0,
      gathers: 0,
      installed: 0,
    },
    state: 'starting',
    installed: alone,
    current: alone,
    configuration: undefined,
    recovery: undefined,
    forming: undefined,
    held: undefined,
    hurryCame: false,
    tokenFirst: true,
    again: undefined,
    processes: new Set([id]),
    failed: new Set(),
    agreed: new Set(),
    incarnation: stored + 1,
    serial: 0,
    usedSequence: stored + 1,
    storedSequence: stored,
    storingSequence: stored,
    knownSequence: stored + 1,
    peers: new Peers(),
    lastPresenceMs: Number.NEGATIVE_INFINITY,
    deadlines: {
      tokenLoss: Number.POSITIVE_INFINITY,
      again: Number.POSITIVE_INFINITY,
      hold: Number.POSITIVE_INFINITY,
      hurry: Number.POSITIVE_INFINITY,
      join: Number.POSITIVE_INFINITY,
      consensus: Number.POSITIVE_INFINITY,
      commitLoss: Number.POSITIVE_INFINITY,
      presence: Number.POSITIVE_INFINITY,
    },
    graceUntilMs: Number.NEGATIVE_INFINITY,
  };
}

export function createRingState(
  id: number,
  ring: RingId,
  members: readonly number[],
  settings: RingSettings,
): RingState {
  const index = members.indexOf(id);
  return {
    id: ring,
    members,
    next: members[(index + 1) % members.length]!,
    predecessor: members[(index + members.length - 1) % members.length]!,
    window: new Window(windowSequences(settings)),
    obligations: new Set(),
    tokenTaken: -1,
    tokenSent: -1,
    visits: 0,
    requestTo: 0,
    aruSent: 0,
    flow: 0,
    backlog: 0,
    idle: false,
    hurried: false,
    stuck: undefined,
  };
}

/**
 * What all have is learned up to two rotations late. In that time a window and a packet of each member may be sent
 * twice, and the newest may be a span ahead of what all have.
 */
function windowSequences({ spanPackets, windowPackets }: RingSettings): number {
  return 2 * (spanPackets + 2 * (windowPackets + LIMITS.members));
}

export function sameRing(a: RingId, b: RingId): boolean {
  return a.sequence === b.sequence && a.representative === b.representative;
}

export function isRepresentative(core: Core): boolean {
  return core.current.id.representative === core.id;
}
