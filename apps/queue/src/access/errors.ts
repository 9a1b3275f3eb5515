/** Why access was refused, or could not be set up. Closed set. */
export type AccessErrorCode =
  /** Who asks is known, and may not do this. */
  | 'forbidden'
  /** Rights that can't be understood. */
  | 'bad-grant'
  /** The file of tokens can't be used: the message says why, and where. */
  | 'bad-auth-file'
  /** The user has a token already. */
  | 'user-exists';

export class AccessError extends Error {
  readonly code: AccessErrorCode;
  constructor(code: AccessErrorCode, message: string) {
    super(message);
    this.name = 'AccessError';
    this.code = code;
  }
}
