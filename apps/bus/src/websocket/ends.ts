/** How a connection ends: the code of docs/protocol-websocket.md, and what is said beside it. */
import type { EndCode } from '@rookery/protocol/websocket';
import type { EndReason } from '../session/delivery.ts';

/** What the client is told where the daemon ends its session. */
export const ENDS: Readonly<Record<Exclude<EndReason, 'goodbye' | 'connection_lost'>, EndCode>> = {
  bad_frame: 'BAD_FRAME',
  too_slow: 'TOO_SLOW',
  stopping: 'STOPPING',
  not_resumed: 'TOO_SLOW',
};

/** What is said beside the code. */
export const WORDS: Readonly<Record<EndCode, string>> = {
  BAD_FRAME: 'that is not this protocol',
  BAD_NUMBER: 'requests are numbered from 1 without a gap',
  UNAUTHORIZED: 'the token is missing or wrong',
  TIMEOUT: 'no hello came in time',
  BAD_NAME: 'a name has 1 to 10 characters of 0x24 to 0x7e',
  NAME_TAKEN: 'a session of this name is here: choose another, or resume it',
  REPLACED: 'another connection has resumed this session',
  TOO_SLOW: 'more was waiting for this client than it may leave unread',
  TOO_MANY_SESSIONS: 'this daemon has as many sessions as it may have',
  STOPPING: 'this daemon is stopping',
};
