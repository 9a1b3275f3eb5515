/** Every error the admin server answers with. Closed: clients may switch over it. */
export type AdminErrorCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'conflict'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'misdirected'
  | 'headers_too_large'
  | 'internal'
  | 'unavailable';

/** The HTTP status of each error. */
export const ADMIN_STATUS: Readonly<Record<AdminErrorCode, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  misdirected: 421,
  headers_too_large: 431,
  internal: 500,
  unavailable: 503,
};

/** Thrown by a handler to answer `{ error: { code, message } }` with the code's status. The message goes to the client. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;

  constructor(code: AdminErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    return ADMIN_STATUS[this.code];
  }
}
