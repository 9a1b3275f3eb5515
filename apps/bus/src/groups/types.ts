/** What goes out of the groups: to the ring, and to this daemon's sessions. */
import type { DurableEvent, GroupMessage, ReadingEvent } from '@rookery/protocol/bus';
import type { Stamp } from '@rookery/protocol/websocket';
import type { Service } from '../ring/types.ts';

/** A view's name: unique over all groups and all time. Each number fits 31 bits. */
export interface GroupId {
  readonly daemon: number;
  readonly time: number;
  readonly index: number;
}

export type ViewCause = 'join' | 'leave' | 'disconnect' | 'network';

/** Who is in a group now. */
export interface View {
  readonly group: string;
  readonly id: GroupId;
  readonly cause: ViewCause;
  /** Sessions, by daemon and then by name. */
  readonly members: readonly string[];
  /** Who joined, left or disconnected; undefined if the network did it. */
  readonly changed: string | undefined;
  /** By the network: the members in sets that come from one view together and have delivered the same in it. */
  readonly sets: readonly (readonly string[])[];
}

export type GroupOutput =
  /** For the ring. It must take what is no session's message, so stop sessions before its queue is full. */
  | { readonly kind: 'submit'; readonly service: Service; readonly payload: Buffer }
  | GroupDelivery
  | {
      readonly kind: 'view';
      /** Sessions here that it is for. */
      readonly to: readonly string[];
      readonly view: View;
    }
  /** Some members of this view are no more reachable; a view by the network follows. */
  | {
      readonly kind: 'transition';
      readonly to: readonly string[];
      readonly group: string;
      readonly id: GroupId;
    }
  /** A leave that this session asked for is done. */
  | { readonly kind: 'left'; readonly to: string; readonly group: string }
  /** One join, leave or message of this session has come round; they come round in the order of asking. */
  | { readonly kind: 'confirmed'; readonly to: string }
  /** This session's goodbye has come round: its name is free. */
  | { readonly kind: 'freed'; readonly session: string }
  /** A message to a group that is kept here, whether it is a repeat or not. */
  | { readonly kind: 'keep'; readonly group: string; readonly ordered: Ordered }
  /** What another daemon, or this one, says of what it keeps. */
  | { readonly kind: 'durable'; readonly sender: number; readonly event: DurableEvent | ReadingEvent }
  /** Nobody may send to the group for now, or everybody may again. */
  | { readonly kind: 'pressure'; readonly group: string; readonly on: boolean };

/** A message that the ring has ordered. The data lies in the packet that brought it. */
export interface Ordered {
  readonly message: GroupMessage;
  readonly service: Service;
  /** Of the group that it is kept for, among the message's. */
  readonly groupIndex: number;
  readonly stamp: Stamp;
}

/** What a session sends. */
export interface Multicast extends Omit<GroupMessage, 'kind' | 'session'> {
  readonly service: Service;
}

/** A message for sessions here. The data lies in the packet that brought it: copy it if it is kept. */
export interface GroupDelivery extends Multicast {
  readonly kind: 'message';
  /** Sessions here that it is for, each once. */
  readonly to: readonly string[];
  readonly from: string;
}
