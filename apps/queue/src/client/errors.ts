/** What can go wrong for a client's caller: a closed set. */

export type QueueErrorCode =
  /** An argument that no server takes: nothing was sent. */
  | 'BAD_ARGUMENT'
  /** No server was reached in as many attempts as were allowed. */
  | 'COULD_NOT_CONNECT'
  /** The connection broke before the answer came: the request may have been carried out or not. It is not repeated. */
  | 'OUTCOME_UNKNOWN'
  /** The message is not open any more: its connection broke or its time was over, and it is back in its queue. */
  | 'NOT_OPEN'
  /** The call's time is over. `sent` says whether it may have been carried out. */
  | 'TIMED_OUT'
  /** The call's signal was aborted. `sent` as with `TIMED_OUT`. */
  | 'ABORTED'
  /** So many calls wait for the server already: nothing was sent. */
  | 'OVERLOADED'
  /** `close` was called. */
  | 'CLOSED'
  /** The queue is full (`max_items`, `max_bytes`). */
  | 'QUEUE_FULL'
  /** The message is larger than the queue or the server takes. */
  | 'TOO_LARGE'
  /** The server's disk is full, or it is behind: try again later. */
  | 'BUSY'
  /** The server takes no puts, or no reads, now: its status or the queue's says so. */
  | 'PAUSED'
  /** There is no queue of that name. */
  | 'NO_QUEUE'
  /** A limit of the server: queues, cursors, open reads, waits, rates. */
  | 'LIMIT'
  /** The queue has had as many messages as it takes or gives a second, until the call's time was over: `retryMs`. */
  | 'RATE_LIMITED'
  /** The server asks who this is, or this one may not do that. */
  | 'UNAUTHORIZED'
  /** The server doesn't know this command or option. */
  | 'UNSUPPORTED'
  /** Any other refusal of the server: its words are the message. */
  | 'REFUSED'
  /** The server said what nobody asked. */
  | 'BAD_REPLY'
  /** A message's body is not what the codec expects. */
  | 'BAD_BODY';

export class QueueError extends Error {
  override readonly name = 'QueueError';
  readonly code: QueueErrorCode;
  /** Whether the request was sent, so that it may have been carried out although the call failed. */
  readonly sent: boolean;
  /** With `RATE_LIMITED`: when to come again. */
  readonly retryMs: number | undefined;

  constructor(
    code: QueueErrorCode,
    message: string,
    {
      sent = false,
      retryMs,
      cause,
    }: { readonly sent?: boolean; readonly retryMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.sent = sent;
    this.retryMs = retryMs;
  }
}
