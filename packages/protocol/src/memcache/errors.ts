/**
 * The closed set of refusals, and what each one is on each wire.
 *
 * One table serves both directions of trouble: what a decoder refuses (`BadReason`) and what a server
 * answers when it understood a request but won't or can't do it. Sources: memcached's doc/protocol.txt
 * ("Error strings") and doc/binary protocol ("Response Status").
 */

/** Binary response statuses (16 bits in the reply header). */
export const Status = {
  success: 0x0000,
  notFound: 0x0001,
  exists: 0x0002,
  tooLarge: 0x0003,
  invalidArguments: 0x0004,
  notStored: 0x0005,
  nonNumeric: 0x0006,
  wrongVbucket: 0x0007,
  authError: 0x0020,
  authContinue: 0x0021,
  unknownCommand: 0x0081,
  outOfMemory: 0x0082,
  notSupported: 0x0083,
  internal: 0x0084,
  busy: 0x0085,
  temporary: 0x0086,
} as const;

export type StatusCode = (typeof Status)[keyof typeof Status];

/** What one refusal looks like on the text and meta wires (a line without its end) and on the binary wire. */
export interface ErrorReply {
  readonly text: string;
  readonly status: StatusCode;
}

/** Refusals that a decoder reports as a `bad` request. */
export type BadReason =
  | 'empty_line'
  | 'missing_arguments'
  | 'bad_line'
  | 'bad_exptime'
  | 'bad_number'
  | 'bad_key'
  | 'key_too_long'
  | 'too_many_keys'
  | 'too_many_flags'
  | 'line_too_long'
  | 'bad_data_chunk'
  | 'body_too_large'
  | 'out_of_memory'
  | 'bad_base64'
  | 'bad_flag'
  | 'duplicate_flag'
  | 'opaque_too_long'
  | 'bad_token'
  | 'bad_extras'
  | 'bad_frame'
  | 'bad_magic';

/** Every refusal: the decoder's, and those that only a server can give. */
export type ErrorCode =
  | BadReason
  | 'unknown_command'
  | 'not_found'
  | 'exists'
  | 'not_stored'
  | 'non_numeric'
  | 'wrong_vbucket'
  | 'auth_error'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limited'
  | 'not_supported'
  | 'internal'
  | 'busy'
  | 'temporary';

const BAD_LINE = 'CLIENT_ERROR bad command line format';

/** The wire form of every refusal. Texts that stock clients compare are memcached's own, to the letter. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorReply>> = {
  empty_line: { text: 'ERROR', status: Status.unknownCommand },
  missing_arguments: { text: 'ERROR', status: Status.invalidArguments },
  bad_line: { text: BAD_LINE, status: Status.invalidArguments },
  bad_exptime: { text: 'CLIENT_ERROR invalid exptime argument', status: Status.invalidArguments },
  bad_number: { text: 'CLIENT_ERROR invalid numeric delta argument', status: Status.invalidArguments },
  bad_key: { text: BAD_LINE, status: Status.invalidArguments },
  key_too_long: { text: BAD_LINE, status: Status.invalidArguments },
  too_many_keys: { text: 'CLIENT_ERROR too many keys', status: Status.invalidArguments },
  too_many_flags: { text: 'CLIENT_ERROR options flags are too long', status: Status.invalidArguments },
  line_too_long: { text: 'CLIENT_ERROR line too long', status: Status.tooLarge },
  bad_data_chunk: { text: 'CLIENT_ERROR bad data chunk', status: Status.invalidArguments },
  body_too_large: { text: 'SERVER_ERROR object too large for cache', status: Status.tooLarge },
  bad_base64: { text: 'CLIENT_ERROR error decoding key', status: Status.invalidArguments },
  bad_flag: { text: 'CLIENT_ERROR invalid flag', status: Status.invalidArguments },
  duplicate_flag: { text: 'CLIENT_ERROR duplicate flag', status: Status.invalidArguments },
  opaque_too_long: { text: 'CLIENT_ERROR opaque token too long', status: Status.invalidArguments },
  bad_token: { text: 'CLIENT_ERROR bad token in command line format', status: Status.invalidArguments },
  bad_extras: { text: BAD_LINE, status: Status.invalidArguments },
  bad_frame: { text: BAD_LINE, status: Status.invalidArguments },
  bad_magic: { text: 'ERROR', status: Status.unknownCommand },
  unknown_command: { text: 'ERROR', status: Status.unknownCommand },
  not_found: { text: 'NOT_FOUND', status: Status.notFound },
  exists: { text: 'EXISTS', status: Status.exists },
  not_stored: { text: 'NOT_STORED', status: Status.notStored },
  non_numeric: {
    text: 'CLIENT_ERROR cannot increment or decrement non-numeric value',
    status: Status.nonNumeric,
  },
  wrong_vbucket: { text: 'SERVER_ERROR wrong vbucket', status: Status.wrongVbucket },
  auth_error: { text: 'CLIENT_ERROR authentication failure', status: Status.authError },
  // memcached's words to who has not said yet who it is.
  unauthenticated: { text: 'CLIENT_ERROR unauthenticated', status: Status.authError },
  forbidden: { text: 'CLIENT_ERROR forbidden', status: Status.authError },
  rate_limited: { text: 'SERVER_ERROR rate limited', status: Status.busy },
  out_of_memory: { text: 'SERVER_ERROR out of memory storing object', status: Status.outOfMemory },
  not_supported: { text: 'SERVER_ERROR not supported', status: Status.notSupported },
  internal: { text: 'SERVER_ERROR internal error', status: Status.internal },
  busy: { text: 'SERVER_ERROR busy', status: Status.busy },
  temporary: { text: 'SERVER_ERROR temporary failure', status: Status.temporary },
};

/** What an encoder throws when its caller asks for bytes that the protocol can't carry. */
export type EncodeErrorCode = 'invalid_key' | 'invalid_number' | 'invalid_token' | 'invalid_command';

/** A mistake of the calling program, never of the peer: decoders don't throw. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError';
  readonly code: EncodeErrorCode;

  constructor(code: EncodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
