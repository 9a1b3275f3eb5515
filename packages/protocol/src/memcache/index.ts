export { createRequestDecoder, RequestDecoder } from './decoder.ts';
export * from './errors.ts';
export * from './limits.ts';
export { Output, REFERENCE_BYTES } from './output.ts';
export type * from './requests.ts';
export * from './text/replies.ts';
