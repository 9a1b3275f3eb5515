/** What an application reads. */
import type { Cause, Delivery, Kept, Origin, Service } from '@rookery/protocol/websocket';

export interface Message {
  readonly kind: 'message';
  /** The session that sent it, as `#name#daemon`: a message can be sent to it. */
  readonly sender: string;
  /** All groups that it was sent to, and sessions. */
  readonly groups: readonly string[];
  readonly service: Service;
  /** 16 bits that are the application's. */
  readonly messageType: number;
  /** Empty for none. */
  readonly key: string;
  /** Shares memory with the messages that arrived along with it: copy what is kept for long. */
  readonly data: Uint8Array;
  /** The data as UTF-8. */
  readonly text: string;
  /** What its publisher called it, if it did. */
  readonly origin?: Origin | undefined;
}

/** A message that a daemon has kept. */
export interface KeptMessage extends Message {
  /** In that daemon's log of the group: each has its own. */
  readonly sequence: number;
  /** When a daemon that keeps the group was given it, ms since 1970. */
  readonly timeMs: number;
  /** What it is called at all daemons: up to 45 characters of 0-9, a-z and point, never used again. */
  readonly id: string;
}

/** All that was kept when the reader came to the end has been read; what follows is live. Once. */
export interface CaughtUp {
  readonly kind: 'caught_up';
  readonly group: string;
  readonly sequence: number;
}

/** So many messages, at most, were let go of by the daemon before this reader came to them. */
export interface Missed {
  readonly kind: 'missed';
  readonly group: string;
  readonly count: number;
}

/** Who is in a group from now on. */
export interface View {
  readonly kind: 'view';
  readonly group: string;
  /** Unique over all groups and all time. */
  readonly id: string;
  readonly cause: Cause;
  readonly members: readonly string[];
  /** Who joined, left or disconnected; `undefined` if the network did it. */
  readonly changed: string | undefined;
  /** The members that come from one view together and have delivered the same in it. */
  readonly sets: readonly (readonly string[])[];
}

/** The network has changed: what comes until the next view may not have reached the members that are being lost. */
export interface Transition {
  readonly kind: 'transition';
  readonly group: string;
  /** Of the view that is ending. */
  readonly id: string;
}

/** The daemon dropped messages because this session reads too slowly, here. */
export interface Dropped {
  readonly kind: 'dropped';
  readonly group: string;
  readonly count: number;
}

/**
 * The session has ended and another has begun. Up to here nothing is missing; what came between this and the next view
 * is unknown. Messages without a confirmation were rejected with `SESSION_LOST`.
 */
export interface Lost {
  readonly kind: 'lost';
  /** The session that has ended. */
  readonly session: string;
  readonly reason: string;
}

export type GroupEvent = Message | View | Transition | Dropped | Lost;
/** What the whole session is given; `left`: this session is no more in the group. */
export type SessionEvent = GroupEvent | { readonly kind: 'left'; readonly group: string };
/** What arrives: of subscriptions too, which are read by themselves. */
export type ArrivedEvent = Exclude<SessionEvent, Message> | ReceivedMessage | CaughtUp | Missed;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Its prototype has the text: most never look at it. */
export class ReceivedMessage implements Message {
  readonly kind = 'message';
  readonly sender: string;
  readonly groups: readonly string[];
  readonly service: Service;
  readonly messageType: number;
  readonly key: string;
  readonly data: Uint8Array;
  readonly origin: Origin | undefined;
  readonly kept: Kept | undefined;

  constructor(
    from: Omit<Message, 'kind' | 'text' | 'origin'> & {
      origin?: Origin | undefined;
      kept?: Kept | undefined;
    },
  ) {
    this.sender = from.sender;
    this.groups = from.groups;
    this.service = from.service;
    this.messageType = from.messageType;
    this.key = from.key;
    this.data = from.data;
    this.origin = from.origin;
    this.kept = from.kept;
  }

  get sequence(): number {
    return this.kept?.sequence ?? 0;
  }

  get timeMs(): number {
    return this.kept?.timeMs ?? 0;
  }

  /** By its origin, if it has one: what is repeated on the other side of a cut has another stamp. Empty if nobody keeps it. */
  get id(): string {
    const { kept, origin } = this;
    if (kept === undefined) return '';
    if (origin !== undefined) return `${origin.publisher}.${origin.sequence.toString(36)}`;
    return [kept.ringSequence, kept.representative, kept.sender, kept.order]
      .map((number) => number.toString(36))
      .join('.');
  }

  get text(): string {
    return decoder.decode(this.data);
  }
}

/** The event of a text frame's delivery, `undefined` for what is no event. */
export function eventOf(delivery: Delivery): ArrivedEvent | undefined {
  switch (delivery.kind) {
    case 'message':
      return new ReceivedMessage(delivery);
    case 'refused':
    case 'subscribed':
      return undefined;
    default: {
      const { d: _number, ...event } = delivery;
      return event;
    }
  }
}
