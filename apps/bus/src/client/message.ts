/** A message to send, as its record. */
import { EncodeError, encodeOwnRecord, type Origin, type Service } from '@rookery/protocol/websocket';
import { BusError } from './errors.ts';

export interface SendOptions {
  /** Default `agreed`: all receivers are given it at the same place in one order. `safe`: and not before all daemons hold it. */
  readonly service?: Service;
  /** 0 to 65535, the application's. */
  readonly messageType?: number;
  /** Up to 255 bytes: a newer message with the same one may take the place of an older one that still waits for a slow reader. */
  readonly key?: string;
  /** The sender wants no copy. */
  readonly selfDiscard?: boolean;
  /**
   * Who publishes it, and its place among all of that publisher: the same message sent again with the same one, also in
   * another session or at another daemon, is confirmed but given to nobody twice.
   */
  readonly origin?: Origin;
}

export interface MessageLimits {
  readonly messageBytes: number;
  readonly groups: number;
}

const encoder = new TextEncoder();

/** @throws BusError `BAD_ARGUMENT`, `MESSAGE_TOO_LARGE`, `TOO_MANY_GROUPS` */
// hot: once per message sent.
export function recordOf(
  groups: string | readonly string[],
  data: string | Uint8Array,
  options: SendOptions,
  limits: MessageLimits | undefined,
): Uint8Array {
  const list = typeof groups === 'string' ? [groups] : groups;
  const bytes = typeof data === 'string' ? encoder.encode(data) : data;
  if (limits !== undefined && bytes.length > limits.messageBytes) {
    throw new BusError('MESSAGE_TOO_LARGE', `a message has at most ${limits.messageBytes} bytes`);
  }
  if (limits !== undefined && list.length > limits.groups) {
    throw new BusError('TOO_MANY_GROUPS', `a message goes to at most ${limits.groups} groups`);
  }
  try {
    return encodeOwnRecord({
      sender: '',
      groups: list,
      service: options.service ?? 'agreed',
      messageType: options.messageType ?? 0,
      key: options.key ?? '',
      selfDiscard: options.selfDiscard ?? false,
      bigEndian: false,
      origin: options.origin,
      data: bytes,
    });
  } catch (error) {
    if (error instanceof EncodeError) throw new BusError('BAD_ARGUMENT', error.message, { cause: error });
    throw error;
  }
}
