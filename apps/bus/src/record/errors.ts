/** What can go wrong with a recording: a closed set. */
export type RecordErrorCode =
  /** Another process records the group in the same folder. */
  | 'ALREADY_RECORDED'
  /** `GROUP.position` can't be read, and what it said must not be guessed. */
  | 'POSITION_DAMAGED';

export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code: RecordErrorCode;

  constructor(code: RecordErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
