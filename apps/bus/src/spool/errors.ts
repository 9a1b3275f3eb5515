/** What can go wrong with a spool: a closed set. */
export type SpoolErrorCode =
  /** As much waits as may: publish again when some of it was sent. */
  | 'SPOOL_FULL'
  /** The message is larger than the spool takes. */
  | 'MESSAGE_TOO_LARGE'
  /** As many publishers as may have a spool in this folder. */
  | 'NO_SLOT'
  /** The disk failed: what was not confirmed to be kept may be lost. */
  | 'SPOOL_FAILED'
  /** `close` was called. */
  | 'CLOSED';

export class SpoolError extends Error {
  override readonly name = 'SpoolError';
  readonly code: SpoolErrorCode;

  constructor(code: SpoolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
