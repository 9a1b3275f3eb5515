/** The closed sets of what can go wrong, and what each one is on the wire. */

/** Spread's result codes, as its libraries return them; those that a daemon sends stand in `REFUSAL_CODES`. */
export const ResultCode = {
  acceptSession: 1,
  illegalSpread: -1,
  couldNotConnect: -2,
  rejectQuota: -3,
  rejectNoName: -4,
  rejectIllegalName: -5,
  rejectNotUnique: -6,
  rejectVersion: -7,
  connectionClosed: -8,
  rejectAuth: -9,
  illegalSession: -11,
  illegalService: -12,
  illegalMessage: -13,
  illegalGroup: -14,
  bufferTooShort: -15,
  groupsTooShort: -16,
  messageTooLong: -17,
  netErrorOnSession: -18,
} as const;

/** Why a daemon doesn't let a client in. */
export type Refusal = 'quota' | 'no_name' | 'illegal_name' | 'not_unique' | 'version' | 'auth';

/** The signed byte that says so; the connection is closed behind it. */
export const REFUSAL_CODES: Readonly<Record<Refusal, number>> = {
  quota: ResultCode.rejectQuota,
  no_name: ResultCode.rejectNoName,
  illegal_name: ResultCode.rejectIllegalName,
  not_unique: ResultCode.rejectNotUnique,
  version: ResultCode.rejectVersion,
  auth: ResultCode.rejectAuth,
};

/** What a daemon's decoder refuses. */
export type BadReason =
  | 'version'
  | 'illegal_name'
  | 'auth'
  | 'too_early'
  | 'bad_order'
  | 'bad_type'
  | 'forged_type'
  | 'bad_sender'
  | 'bad_hint'
  | 'bad_group_count'
  | 'bad_data_length'
  | 'data_too_large'
  | 'no_group'
  | 'bad_group';

export interface BadAnswer {
  /** The session is over: send `refusal` if there is one, and close. Otherwise a reject message is the answer, for clients that read them. */
  readonly ends: boolean;
  /** What to send before closing, while the handshake lasts. */
  readonly refusal: Refusal | undefined;
  /** What the client did wrong, and what it should do: for a log. */
  readonly text: string;
}

const ends = (text: string, refusal?: Refusal): BadAnswer => ({ ends: true, refusal, text });
const goesOn = (text: string): BadAnswer => ({ ends: false, refusal: undefined, text });

/** What becomes of each. */
export const BAD: Readonly<Record<BadReason, BadAnswer>> = {
  version: ends('the client is older than 3.1: use a newer library', 'version'),
  illegal_name: ends('a private name has at most 10 bytes of 0x24 to 0x7e', 'illegal_name'),
  auth: ends('the reply to the list of methods names none, or one that does not end', 'auth'),
  too_early: ends('the client sent too much before it was admitted: wait for the private group'),
  bad_order: ends('the type has only a part of the byte order bits: the stream is no frame'),
  bad_type: ends('a type has exactly one service, or one of join, leave and kill'),
  forged_type: ends('only a daemon sends membership, transition, reject and group messages'),
  bad_sender: ends('the sender of a frame is the private group of its own session'),
  bad_hint: ends('the hint holds nothing but a message type of 16 bits and the byte order'),
  bad_group_count: ends('there are too many groups, or fewer than none: send to fewer groups at once'),
  bad_data_length: ends('the length of the data is below zero'),
  data_too_large: ends('the data is larger than this daemon takes: split it, or raise the limit'),
  no_group: goesOn('there is no group to send to, to join or to leave'),
  bad_group: goesOn('a group has 1 to 31 bytes of 0x24 to 0x7e; a private one can be sent to, not joined'),
};

/** What a client's decoder finds wrong with a daemon. Each ends the connection. */
export type BadReplyReason =
  | 'version'
  | 'bad_methods'
  | 'bad_private_group'
  | 'bad_order'
  | 'bad_type'
  | 'bad_hint'
  | 'bad_group_count'
  | 'bad_data_length'
  | 'data_too_large'
  | 'bad_membership';

/** What an encoder throws when its caller asks for bytes that the protocol can't carry. */
export type EncodeErrorCode =
  | 'invalid_version'
  | 'invalid_priority'
  | 'invalid_name'
  | 'invalid_group'
  | 'invalid_groups'
  | 'invalid_method'
  | 'invalid_message_type'
  | 'invalid_type'
  | 'invalid_sets'
  | 'invalid_key'
  | 'invalid_origin';

/** A mistake of the calling program, never of the peer: decoders don't throw. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError';
  readonly code: EncodeErrorCode;

  constructor(code: EncodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
