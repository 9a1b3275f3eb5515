/**
 * What daemons say to each other so that a client reads a kept group at a daemon that doesn't keep it. What it means:
 * docs/internals/durable.md. A reading is named by a number that the daemon of the client chose, and never uses again.
 */
import { getU32, getU64, putU32, putU64 } from './bytes.ts';

interface About {
  /** The daemon that it is for; all others pass over it. */
  readonly to: number;
  readonly reading: number;
}

/** To a keeper. */
export interface Read extends About {
  readonly kind: 'read';
  /** A client's `subscribe`, as the WebSocket protocol has it. */
  readonly request: string;
}

/** From a keeper: what the reading gives next. */
export interface Given extends About {
  readonly kind: 'given';
  /** WebSocket records, each beginning with its length. */
  readonly records: readonly Uint8Array[];
}

/** From a keeper: `subscribed`, `caught_up` or `missed`, as the WebSocket protocol has them, in order with what it gives. */
export interface Told extends About {
  readonly kind: 'told';
  readonly delivery: string;
}

/** To a keeper: so many bytes of records were taken since the reading began. */
export interface Taken extends About {
  readonly kind: 'taken';
  readonly bytes: number;
}

/** To a keeper: no more. */
export interface Unread extends About {
  readonly kind: 'unread';
}

export type ReadingEvent = Read | Given | Told | Taken | Unread;

export const ReadingType = { read: 10, given: 11, told: 12, taken: 13, unread: 14 } as const;
/** Type, `to`, `reading`. */
const HEAD_BYTES = 13;
const LENGTH_BYTES = 4;

export function encodeReading(event: ReadingEvent): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + bodyBytes(event));
  bytes[0] = ReadingType[event.kind];
  putU32(bytes, 1, event.to);
  putU64(bytes, 5, event.reading);
  switch (event.kind) {
    case 'read':
      bytes.write(event.request, HEAD_BYTES);
      break;
    case 'told':
      bytes.write(event.delivery, HEAD_BYTES);
      break;
    case 'taken':
      putU64(bytes, HEAD_BYTES, event.bytes);
      break;
    case 'given':
      putRecords(bytes, HEAD_BYTES, event.records);
      break;
  }
  return bytes;
}

/** `undefined` for what is none. Records are not copied, and only their lengths are looked at. */
export function decodeReading(bytes: Buffer): ReadingEvent | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const about = { to: getU32(bytes, 1), reading: getU64(bytes, 5) };
  if (!Number.isSafeInteger(about.reading)) return undefined;
  switch (bytes[0]) {
    case ReadingType.read:
      return { kind: 'read', ...about, request: bytes.toString('utf8', HEAD_BYTES) };
    case ReadingType.told:
      return { kind: 'told', ...about, delivery: bytes.toString('utf8', HEAD_BYTES) };
    case ReadingType.taken: {
      if (bytes.length !== HEAD_BYTES + 8) return undefined;
      const taken = getU64(bytes, HEAD_BYTES);
      return Number.isSafeInteger(taken) ? { kind: 'taken', ...about, bytes: taken } : undefined;
    }
    case ReadingType.unread:
      return bytes.length === HEAD_BYTES ? { kind: 'unread', ...about } : undefined;
    default: {
      const records = takeRecords(bytes, HEAD_BYTES);
      return records && { kind: 'given', ...about, records };
    }
  }
}

function bodyBytes(event: ReadingEvent): number {
  switch (event.kind) {
    case 'read':
      return Buffer.byteLength(event.request);
    case 'told':
      return Buffer.byteLength(event.delivery);
    case 'taken':
      return 8;
    case 'unread':
      return 0;
    case 'given':
      return event.records.reduce((sum, record) => sum + record.length, 0);
  }
}

export function putRecords(bytes: Buffer, from: number, records: readonly Uint8Array[]): void {
  let at = from;
  for (const record of records) {
    bytes.set(record, at);
    at += record.length;
  }
}

/** To the end; `undefined` if the last one isn't whole. */
export function takeRecords(bytes: Buffer, from: number): Uint8Array[] | undefined {
  const records: Uint8Array[] = [];
  for (let at = from; at < bytes.length; ) {
    if (at + LENGTH_BYTES > bytes.length) return undefined;
    const end = at + LENGTH_BYTES + getU32(bytes, at);
    if (end > bytes.length) return undefined;
    records.push(bytes.subarray(at, end));
    at = end;
  }
  return records;
}
