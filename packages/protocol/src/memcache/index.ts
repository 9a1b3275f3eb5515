export { isQuietOpcode, loudOpcode, Opcode, type OpcodeValue } from './binary/opcodes.ts';
export * from './binary/replies.ts';
export { createRequestDecoder, RequestDecoder } from './decoder.ts';
export * from './errors.ts';
export * from './limits.ts';
export * from './meta/replies.ts';
export { Output, REFERENCE_BYTES } from './output.ts';
export type * from './requests.ts';
export * from './text/replies.ts';
