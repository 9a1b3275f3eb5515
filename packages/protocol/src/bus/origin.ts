/** Who published a message, told by the publisher itself, so that a repeat is known. */
import { getU64, putU64 } from './bytes.ts';

export interface Origin {
  /** 32 hex digits, lower case: chosen by chance, once. */
  readonly publisher: string;
  /** The publisher's own count of messages, from 1. */
  readonly sequence: number;
}

export const ORIGIN_BYTES = 24;
const PUBLISHER_BYTES = 16;
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function isOrigin({ publisher, sequence }: Origin): boolean {
  return /^[0-9a-f]{32}$/.test(publisher) && Number.isSafeInteger(sequence) && sequence >= 1;
}

/** Of what `isOrigin`. */
export function putOrigin(bytes: Uint8Array, at: number, { publisher, sequence }: Origin): void {
  for (let index = 0; index < PUBLISHER_BYTES; index++) {
    bytes[at + index] = Number.parseInt(publisher.slice(2 * index, 2 * index + 2), 16);
  }
  putU64(bytes, at + PUBLISHER_BYTES, sequence);
}

/** `undefined` for a sequence that is none. The caller has checked that the bytes are there. */
export function takeOrigin(bytes: Uint8Array, at: number): Origin | undefined {
  const sequence = getU64(bytes, at + PUBLISHER_BYTES);
  if (sequence < 1 || sequence > Number.MAX_SAFE_INTEGER) return undefined;
  let publisher = '';
  for (let index = 0; index < PUBLISHER_BYTES; index++) publisher += HEX[bytes[at + index]!];
  return { publisher, sequence };
}
