/**
 * The wire of the bus's ring: datagrams <-> packets. No I/O, no clock. What the packets mean:
 * docs/internals/ring.md. `decodePacket` never throws; what it gives is well formed.
 */
export { type ChunkCursor, chunkCursor, nextChunk, putChunk } from './chunks.ts';
export { decodePacket, decodeRecovered } from './decode.ts';
export type { DurableEvent, Fill, Filled, Keeping, KeptGroup, Strand } from './durable.ts';
export { encodeControl, sealData, wrapRecovered } from './encode.ts';
export {
  ADDRESSES_MAX,
  counterOf,
  decodeAddresses,
  decodeProof,
  decodeQuestion,
  ENVELOPE_HEADER_BYTES,
  EnvelopeKind,
  encodeAddresses,
  encodeProof,
  encodeQuestion,
  INSTANCE_AT,
  INSTANCE_BYTES,
  isEnvelope,
  kindOf,
  NAME_BYTES_MAX,
  NONCE_BYTES,
  type PeerAddress,
  type Proof,
  putEnvelope,
  QUESTION_BYTES,
  SEAL_BYTES,
  SealCode,
  sealCodeOf,
} from './envelope.ts';
export {
  decodeEvent,
  encodeEvent,
  GROUP_ROWS_MAX,
  type GroupChange,
  type GroupEvent,
  type GroupMessage,
  type GroupPressure,
  type GroupState,
  groupsFit,
  KEY_BYTES_MAX,
  type SessionGone,
} from './events.ts';
export { CHUNK_HEADER_BYTES, CHUNK_TOTAL_BYTES, DATA_HEADER_BYTES, OBLIGATION_BYTES } from './layout.ts';
export { LIMITS } from './limits.ts';
export { isOrigin, ORIGIN_BYTES, type Origin, putOrigin, takeOrigin } from './origin.ts';
export * from './packets.ts';
export type { Given, Read, ReadingEvent, Taken, Told, Unread } from './readings.ts';
export { SAFE_CODE, SERVICES, type Service, serviceCode } from './services.ts';
