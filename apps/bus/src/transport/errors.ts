/** Why a transport can't be. The set is closed. */
export type TransportErrorCode =
  /** It would be open to the network without a secret. */
  | 'TRANSPORT_UNPROTECTED'
  /** Encryption without a secret, or one that is too short to keep anybody out. */
  | 'TRANSPORT_SECRET'
  /** Both a multicast group and peers, or a group of another address family than the socket. */
  | 'TRANSPORT_ADDRESSES'
  /** The system doesn't let this process into the multicast group. */
  | 'TRANSPORT_MULTICAST';

/** The message is one line and says what to do; `code` is stable. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
