/** What text frames say, as values. On the wire the field names are `snake_case` and `kind` is `type`. */
import type { Origin } from '../bus/origin.ts';
import type { Service } from '../bus/services.ts';
import type { Cause } from '../spread/types.ts';
import type { Kept } from './kept.ts';
import type { Filter, From } from './subscribe.ts';

/** A request, numbered by the client over text and binary frames alike. */
export type Request =
  | { readonly kind: 'join' | 'leave'; readonly n: number; readonly group: string }
  | { readonly kind: 'unsubscribe'; readonly n: number; readonly group: string }
  | {
      readonly kind: 'subscribe';
      readonly n: number;
      /** One that the daemon keeps. */
      readonly group: string;
      readonly from: From;
      readonly filter: Filter;
      /** The last value of each key, and then what comes. `from` must be `now`. */
      readonly lastValue: boolean;
    }
  | {
      readonly kind: 'send';
      readonly n: number;
      readonly groups: readonly string[];
      readonly service: Service;
      readonly messageType: number;
      /** Empty for none. */
      readonly key: string;
      readonly selfDiscard: boolean;
      readonly origin?: Origin | undefined;
      readonly data: Uint8Array;
    };

/** What a client says in a text frame. */
export type ClientControl =
  | {
      readonly kind: 'hello';
      /** `undefined`: the daemon gives one. */
      readonly name: string | undefined;
      readonly membership: boolean;
      readonly messages: 'binary' | 'json';
      readonly token: string | undefined;
      /** Bytes of deliveries beyond what is acknowledged that the client holds; 0 for any. */
      readonly windowBytes: number;
    }
  | {
      readonly kind: 'resume';
      readonly session: string;
      readonly key: string;
      /** The number of the last delivery that arrived, 0 for none. */
      readonly received: number;
      readonly token: string | undefined;
    }
  | Request
  | { readonly kind: 'ack'; readonly received: number }
  | { readonly kind: 'groups'; readonly id: number }
  | { readonly kind: 'members'; readonly id: number; readonly group: string }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'bye' };

export const REFUSAL_CODES = [
  'BAD_GROUP',
  'TOO_MANY_GROUPS',
  'TOO_MANY_LISTENERS',
  'MESSAGE_TOO_LARGE',
  'NOT_A_MEMBER',
  'ALREADY_A_MEMBER',
  'NOT_KEPT',
  'TOO_MANY_KEPT',
  'BAD_CURSOR',
] as const;
/** Why a request was not carried out. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Why a connection ends, and the code that it is closed with. */
export const CLOSE_CODES = {
  BAD_FRAME: 4400,
  BAD_NUMBER: 4400,
  UNAUTHORIZED: 4401,
  TIMEOUT: 4408,
  BAD_NAME: 4409,
  NAME_TAKEN: 4409,
  REPLACED: 4410,
  TOO_SLOW: 4413,
  TOO_MANY_SESSIONS: 4429,
  STOPPING: 1001,
} as const;
export type EndCode = keyof typeof CLOSE_CODES;

/** What the daemon numbers and sends again to a client that resumes; `d` is its number. */
export type Delivery =
  | {
      readonly kind: 'view';
      readonly d: number;
      readonly group: string;
      /** Three numbers with points between, unique over all groups and all time. */
      readonly id: string;
      readonly cause: Cause;
      readonly members: readonly string[];
      /** Who joined, left or disconnected; `undefined` if the network did it. */
      readonly changed: string | undefined;
      /** The members that come from one view together and have delivered the same in it. */
      readonly sets: readonly (readonly string[])[];
    }
  | { readonly kind: 'transition'; readonly d: number; readonly group: string; readonly id: string }
  | { readonly kind: 'left'; readonly d: number; readonly group: string }
  | { readonly kind: 'dropped'; readonly d: number; readonly group: string; readonly count: number }
  | {
      readonly kind: 'refused';
      readonly d: number;
      readonly n: number;
      readonly code: RefusalCode;
      readonly message: string;
    }
  | {
      /** What comes of the group from here on is from the subscription, until it is caught up, and then all of it. */
      readonly kind: 'subscribed';
      readonly d: number;
      readonly n: number;
      readonly group: string;
      /** In this daemon's log: what comes is behind it. */
      readonly sequence: number;
      /** The last one in this daemon's log now. */
      readonly last: number;
      /** False while this daemon has not heard from others what it lacks: then more will come. */
      readonly whole: boolean;
      /** For who has been given nothing yet. */
      readonly cursor: string;
    }
  /** All that was kept up to here has been given. */
  | { readonly kind: 'caught_up'; readonly d: number; readonly group: string; readonly sequence: number }
  /** So many messages, or fewer, were let go of before this reader came to them. */
  | { readonly kind: 'missed'; readonly d: number; readonly group: string; readonly count: number }
  | {
      readonly kind: 'message';
      readonly d: number;
      readonly sender: string;
      readonly groups: readonly string[];
      readonly service: Service;
      readonly messageType: number;
      /** Empty for none. */
      readonly key: string;
      readonly origin?: Origin | undefined;
      readonly kept?: Kept | undefined;
      readonly data: Uint8Array;
    };

/** What a daemon says in a text frame. */
export type DaemonControl =
  | {
      readonly kind: 'welcome';
      readonly session: string;
      readonly daemon: string;
      readonly version: string;
      /** What proves in a `resume` that the session is the client's. */
      readonly key: string;
      readonly resumeMs: number;
      /** Data of one message, at most. */
      readonly messageBytes: number;
      /** Groups in one message, at most. */
      readonly groups: number;
    }
  | { readonly kind: 'resumed'; readonly taken: number }
  | { readonly kind: 'gone'; readonly reason: string }
  | { readonly kind: 'confirmed'; readonly n: number }
  | {
      readonly kind: 'groups';
      readonly id: number;
      readonly groups: readonly { readonly name: string; readonly members: number }[];
    }
  | {
      readonly kind: 'members';
      readonly id: number;
      readonly group: string;
      readonly members: readonly string[];
    }
  | { readonly kind: 'pong'; readonly id: number }
  | Delivery
  | { readonly kind: 'error'; readonly code: EndCode; readonly message: string };

/** What a decoder gives for what is not the protocol. */
export interface Bad {
  readonly kind: 'bad';
  readonly code: 'BAD_FRAME' | 'BAD_NAME' | 'BAD_GROUP' | 'TOO_MANY_GROUPS' | 'MESSAGE_TOO_LARGE';
  /** What is wrong, and what would be right. */
  readonly message: string;
  /** Of a request that can be refused with this code; without it the connection ends. */
  readonly n: number | undefined;
}

export function bad(code: Bad['code'], message: string, n?: number): Bad {
  return { kind: 'bad', code, message, n };
}
