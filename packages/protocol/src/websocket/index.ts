/**
 * The bus's WebSocket protocol (docs/protocol-websocket.md) as a pure codec, for daemons, and for clients in Node and
 * in browsers: nothing of Node is used here. No I/O, no clock, no logger.
 *
 * - Daemon: `decodeClientControl` and `decodeFrame(bytes, 'client')`; `encodeDaemonControl`, or `encodeDelivery` once
 *   and `numberDelivery` for each receiver; `encodeRecord` once and `frameOf` for each receiver.
 * - Client: `encodeClientControl`, `encodeOwnRecord` and `frameOfOwn`; `decodeDaemonControl` and `decodeFrame(bytes, 'daemon')`.
 *
 * Decoders never throw: what is not the protocol comes as `Bad`.
 */
export { isOrigin, type Origin } from '../bus/origin.ts';
export { SERVICES, type Service } from '../bus/services.ts';
export { EncodeError, type EncodeErrorCode } from '../spread/errors.ts';
export {
  isDaemonName,
  isDestination,
  isGroupName,
  isPrivateName,
  parsePrivateGroup,
} from '../spread/names.ts';
export type { Cause } from '../spread/types.ts';
export { decodeClientControl, encodeClientControl } from './client-control.ts';
export {
  type Bad,
  CLOSE_CODES,
  type ClientControl,
  type DaemonControl,
  type Delivery,
  type EndCode,
  REFUSAL_CODES,
  type RefusalCode,
  type Request,
} from './controls.ts';
export {
  decodeDaemonControl,
  encodeDaemonControl,
  encodeDelivery,
  numberDelivery,
  type SharedDelivery,
} from './daemon-control.ts';
export type { Kept, Stamp } from './kept.ts';
export {
  isKeptRecord,
  isSameOrigin,
  keptOf,
  keyAndDataOf,
  originOf,
  recordBytes,
  renumbered,
} from './kept-record.ts';
export { DEFAULT_LIMITS, FRAME_OVERHEAD_BYTES, KEY_BYTES, type Limits } from './limits.ts';
export {
  decodeFrame,
  encodeOwnRecord,
  encodeRecord,
  frameOf,
  frameOfOwn,
  type MessageRecord,
  type NumberedRecord,
} from './records.ts';
export {
  decodeCursor,
  encodeCursor,
  type FieldValue,
  type Filter,
  type From,
  type Given,
} from './subscribe.ts';
