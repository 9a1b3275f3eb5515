/** Why the log refused. Closed set; the message says what to do. */
export type LogErrorCode =
  | 'log-locked'
  | 'log-foreign'
  | 'log-version'
  | 'log-full'
  | 'log-busy'
  | 'log-failed'
  | 'log-closed'
  | 'read-failed'
  | 'payload-too-large'
  | 'name-too-long'
  | 'stream-exists'
  | 'stream-removed';

export class LogError extends Error {
  readonly code: LogErrorCode;
  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogError';
    this.code = code;
  }
}
