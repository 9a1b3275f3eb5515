/**
 * The memcache protocol as pure codecs: text, meta and binary, for servers and for clients. No I/O, no
 * clock, no logger.
 *
 * - Server: `createRequestDecoder()` turns bytes into `Request`s, the `write…` functions of replies turn
 *   answers into bytes in an `Output`.
 * - Client: `writeTextRequest`, `writeMetaRequest` and `writeBinaryRequest` into an `Output`,
 *   `createTextReplyDecoder()` or `createBinaryReplyDecoder()` for what comes back.
 */

export { Output, REFERENCE_BYTES } from '../bytes/output.ts';
export { isQuietOpcode, loudOpcode, Opcode, type OpcodeValue } from './binary/opcodes.ts';
export * from './binary/replies.ts';
export { BinaryReplyDecoder, createBinaryReplyDecoder } from './binary/reply-decoder.ts';
export { type BinaryCommand, writeBinaryRequest } from './binary/requests.ts';
export { createRequestDecoder, RequestDecoder } from './decoder.ts';
export * from './errors.ts';
export { checkKey } from './keys.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export * from './meta/replies.ts';
export { type MetaCommand, writeMetaRequest } from './meta/requests.ts';
export type * from './replies.ts';
export type * from './requests.ts';
export * from './text/replies.ts';
export { createTextReplyDecoder, TextReplyDecoder } from './text/reply-decoder.ts';
export { writeTextRequest } from './text/requests.ts';
