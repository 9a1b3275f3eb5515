/**
 * The Spread toolkit's client protocol (TCP port 4803) as a pure codec, for daemons and for clients. No I/O,
 * no clock, no logger.
 *
 * - Daemon: `createDaemonDecoder()` turns bytes into `ClientInput`s; answer the handshake with `writeMethods`,
 *   `writeRefusal` or `writeAccept` and `admit`, then send with `writeMessage`, `writeMembership` and the others.
 * - Client: `writeConnect`, `writeAuthenticate`, then `writeJoin`, `writeMulticast` and the others;
 *   `createClientDecoder()` for what comes back.
 */
export { Output, REFERENCE_BYTES } from '../bytes/output.ts';
export { ClientDecoder, createClientDecoder } from './client/decoder.ts';
export * from './client/frames.ts';
export * from './client/handshake.ts';
export { createDaemonDecoder, DaemonDecoder } from './daemon/decoder.ts';
export * from './daemon/frames.ts';
export * from './daemon/handshake.ts';
export * from './errors.ts';
export type * from './frames.ts';
export {
  DAEMON_NAME_BYTES,
  DEFAULT_LIMITS,
  GROUP_NAME_BYTES,
  type Limits,
  PRIVATE_NAME_BYTES,
  SPREAD_BODY_BYTES,
} from './limits.ts';
export {
  isDaemonName,
  isDestination,
  isGroupName,
  isPrivateName,
  type PrivateGroup,
  parsePrivateGroup,
  privateGroup,
} from './names.ts';
export type { ByteOrder } from './order.ts';
export {
  CAUSE_BITS,
  type Cause,
  ENDIAN_BITS,
  SERVICE_BITS,
  type Service,
  TypeBit,
} from './types.ts';
export { readsRejects, readsSets } from './versions.ts';
