/** What can go wrong for a client's caller: a closed set. */
import type { EndCode, RefusalCode } from '@rookery/protocol/websocket';

export type BusErrorCode =
  /** The daemon did not carry a request out. */
  | RefusalCode
  /** The daemon ended the connection, and the client doesn't try again. */
  | EndCode
  /** An argument that no daemon takes: nothing was sent. */
  | 'BAD_ARGUMENT'
  /** No daemon was reached in as many attempts as were allowed. */
  | 'COULD_NOT_CONNECT'
  /** The session ended before the request was confirmed: it may have been carried out or not. */
  | 'SESSION_LOST'
  /** `close` was called. */
  | 'CLOSED'
  /** The group was left, or the whole session is read instead of it. */
  | 'NOT_READABLE'
  /** A room's members are changing: send again after the next view. */
  | 'FLUSHING';

export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
