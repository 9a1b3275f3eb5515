/**
 * What is said on a connection, both ways: unions told apart by `kind`.
 *
 * Data isn't copied: it is the bytes of `buffer` from `start` up to `end`, in the pushed chunk or in a buffer
 * that was put together if the frame came in pieces. Copy it if it should outlive its chunk.
 */

import type { BadReason, BadReplyReason } from './errors.ts';
import type { ByteOrder } from './order.ts';
import type { Cause, Service } from './types.ts';

/** Bytes without a copy: those of `buffer` from `start` up to, not including, `end`. */
export interface Data {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Three numbers of one byte each. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/**
 * The 16 bits that an application gives its message, 0 to 65535 (libspread shows them as a signed short), and
 * the byte order of who sent it: a receiver with another may have to turn the numbers in the data.
 */
export interface MessageType {
  readonly messageType: number;
  readonly messageOrder: ByteOrder;
}

// --- from a client ------------------------------------------------------------------------------

/** A client's first words. Answer a list of methods if `choosesMethod`, else admit or refuse it. */
export interface Connect {
  readonly kind: 'connect';
  /** `patch` is 0 for a client before 3.15: it doesn't send it. */
  readonly version: Version;
  /** 0 to 15. Spread takes notice of none. */
  readonly priority: number;
  /** Whether it asks for membership messages. */
  readonly membership: boolean;
  /** '' asks the daemon for a name. */
  readonly name: string;
  /** False for a client before 3.16, which knows no methods: the next it expects is to be accepted. */
  readonly choosesMethod: boolean;
}

/** The methods that the client will pass, one to three. Whether they are allowed is the daemon's to say. */
export interface Authenticate {
  readonly kind: 'authenticate';
  readonly methods: readonly string[];
}

export interface Multicast extends MessageType, Data {
  readonly kind: 'multicast';
  readonly service: Service;
  /** The sender doesn't want its own copy. */
  readonly selfDiscard: boolean;
  /** One or more: groups, and private groups of sessions. */
  readonly groups: readonly string[];
}

export interface Join {
  readonly kind: 'join';
  readonly group: string;
}

export interface Leave {
  readonly kind: 'leave';
  readonly group: string;
}

/** The client says goodbye. The decoder gives nothing after it. */
export interface Disconnect {
  readonly kind: 'disconnect';
}

/** Input that is refused, in its place. `BAD[reason]` has what to do: after one that `ends`, nothing comes any more. */
export interface Bad extends MessageType, Data {
  readonly kind: 'bad';
  readonly reason: BadReason;
  readonly ends: boolean;
  /** What was asked, as `writeReject` wants it; 0 if the session ends. */
  readonly type: number;
  /** The groups as sent, legal or not. Empty if the session ends. */
  readonly groups: readonly string[];
}

export type ClientFrame = Multicast | Join | Leave | Disconnect;
export type ClientInput = Connect | Authenticate | ClientFrame | Bad;

// --- from a daemon ------------------------------------------------------------------------------

/** The methods that the daemon allows. Answer with a choice. */
export interface Methods {
  readonly kind: 'methods';
  readonly methods: readonly string[];
}

export interface Accepted {
  readonly kind: 'accepted';
  /** The daemon's. `patch` is 0 if the client is one before 3.15. */
  readonly version: Version;
  /** `#name#daemon`: the sender of everything that this session sends. */
  readonly privateGroup: string;
}

/** The daemon doesn't let the client in. The decoder gives nothing after it. */
export interface Refused {
  readonly kind: 'refused';
  /** See `REFUSAL_CODES`. */
  readonly code: number;
}

export interface Message extends MessageType, Data {
  readonly kind: 'message';
  readonly service: Service;
  readonly selfDiscard: boolean;
  /** The private group of the sender. */
  readonly sender: string;
  readonly groups: readonly string[];
}

/** Names one membership of one group: three signed numbers of 32 bits. */
export interface GroupId {
  readonly daemon: number;
  readonly time: number;
  readonly index: number;
}

/** Who is in a group from now on. */
export interface Membership {
  readonly kind: 'membership';
  readonly cause: Cause;
  readonly group: string;
  /** All members, in the order of daemons, then of names. */
  readonly members: readonly string[];
  readonly id: GroupId;
  /**
   * A join, a leave or a disconnect: one set, of the one member that changed. A network change: who came
   * together from the same membership before.
   */
  readonly sets: readonly (readonly string[])[];
  /** The index of the receiver's own set. 0 where there is one set. */
  readonly mine: number;
}

/** What comes next, up to the new membership, may not have reached the members that are being lost. */
export interface Transition {
  readonly kind: 'transition';
  readonly group: string;
  /** Of the membership that ends. */
  readonly id: GroupId;
}

/** The receiver has left the group. */
export interface SelfLeave {
  readonly kind: 'self_leave';
  readonly group: string;
}

/** A frame that the daemon didn't carry out goes back to its sender. */
export interface Reject extends MessageType, Data {
  readonly kind: 'reject';
  readonly rejected: 'multicast' | 'join' | 'leave';
  /** What was sent: a service and self-discard, or `causedByJoin`, or `causedByLeave`. */
  readonly type: number;
  readonly sender: string;
  /** Those that were sent to, and the sender last; of a hundred, it has the place of the last. */
  readonly groups: readonly string[];
}

/** Bytes that no daemon sends. Close: the decoder gives nothing after it. */
export interface BadReply {
  readonly kind: 'bad';
  readonly reason: BadReplyReason;
}

export type DaemonFrame = Message | Membership | Transition | SelfLeave | Reject;
export type DaemonInput = Methods | Accepted | Refused | DaemonFrame | BadReply;
