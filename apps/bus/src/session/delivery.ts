/** What a session is told, whatever its wire. */
import type { GroupDelivery, GroupId, View } from '../groups/types.ts';

export type Delivery =
  | Omit<GroupDelivery, 'to'>
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'transition'; readonly group: string; readonly id: GroupId }
  | { readonly kind: 'left'; readonly group: string }
  /** So many messages to the group were dropped or conflated, before what follows. */
  | { readonly kind: 'dropped'; readonly group: string; readonly count: number }
  /** A kept group is read from here on: what comes stands behind `sequence`. `number` is the client's request. */
  | {
      readonly kind: 'subscribed';
      readonly number: number;
      readonly group: string;
      readonly sequence: number;
      readonly last: number;
      readonly whole: boolean;
      readonly cursor: string;
    }
  /** All that was kept up to here has been given. */
  | { readonly kind: 'caught_up'; readonly group: string; readonly sequence: number }
  /** So many, at most, were let go of before the reader came to them. */
  | { readonly kind: 'missed'; readonly group: string; readonly count: number }
  /** A request that was not carried out. `number` is the client's, 0 on a wire without them. */
  | { readonly kind: 'refused'; readonly number: number; readonly code: RefusalCode };

/** Why a request is not carried out; the session goes on. */
export type RefusalCode =
  | 'BAD_GROUP'
  | 'TOO_MANY_GROUPS'
  | 'TOO_MANY_LISTENERS'
  | 'MESSAGE_TOO_LARGE'
  | 'NOT_A_MEMBER'
  | 'ALREADY_A_MEMBER'
  | 'NOT_KEPT'
  | 'TOO_MANY_KEPT'
  | 'BAD_CURSOR';

export const REFUSALS: Readonly<Record<RefusalCode, string>> = {
  BAD_GROUP: 'a group has 1 to 31 characters of 0x24 to 0x7e; a private one can be sent to, not joined',
  TOO_MANY_GROUPS:
    'this session, or its daemon, is in as many groups as it may be: leave one, or raise the limit',
  TOO_MANY_LISTENERS: 'the group has as many listeners as it may have: come back later, or raise its limit',
  MESSAGE_TOO_LARGE:
    'the message is larger than this bus carries: split it, or raise message_bytes on all daemons',
  NOT_A_MEMBER: 'only who is in a group can leave it',
  ALREADY_A_MEMBER: 'the session is in the group already',
  NOT_KEPT:
    'no daemon keeps the group, or none the last values of its keys: see keep and durable in their settings',
  TOO_MANY_KEPT:
    'this daemon keeps as many groups as it may, so it does not keep this one: raise max_kept_groups',
  BAD_CURSOR: 'that is no cursor of a subscription',
};

/** Why a session, or a connection that never became one, is over. */
export type EndReason = 'goodbye' | 'connection_lost' | 'bad_frame' | 'too_slow' | 'stopping' | 'not_resumed';

/** Bytes for a binary wire, or JSON text without its number. */
export type Content = Uint8Array | string;

/** One wire's way to say a delivery: the same bytes for all receivers, or for all with the same set of their own. */
export interface Format {
  /** For people. */
  readonly name: string;
  /** `mine`: of a view by the network, the index of the receiver's set. */
  encode(delivery: Delivery, mine: number): Content | undefined;
  /** A record of a kept group; `undefined` if the wire has no words for it. */
  kept(record: Uint8Array): Content | undefined;
  /** Whether `mine` makes a difference. */
  readonly tellsMine: boolean;
  /** A session hears that it has left a group also if it asked for no memberships. */
  readonly leftToAll: boolean;
}
