/**
 * The body of a data packet: chunks, each a whole message or a piece of one. Pieces of one message follow each other
 * in the sender's packets, with nothing of the same sender between.
 */
import { getU16, getU32, putU16, putU32 } from './bytes.ts';
import {
  CHUNK_FIRST,
  CHUNK_HEADER_BYTES,
  CHUNK_LAST,
  CHUNK_TOTAL_BYTES,
  DATA_HEADER_BYTES,
} from './layout.ts';
import { LIMITS } from './limits.ts';
import { SERVICES } from './services.ts';

const FLAGS = CHUNK_FIRST | CHUNK_LAST;

/** Where a reader is in a packet, and the chunk it stands on. Reused from chunk to chunk. */
export interface ChunkCursor {
  /** Where the next chunk begins. */
  next: number;
  first: boolean;
  last: boolean;
  service: number;
  /** Length of the whole message; of this chunk, if it is a later piece of one. */
  total: number;
  /** The payload: from `start` to `end` of the packet's bytes. */
  start: number;
  end: number;
}

export function chunkCursor(): ChunkCursor {
  return { next: DATA_HEADER_BYTES, first: true, last: true, service: 0, total: 0, start: 0, end: 0 };
}

// hot: once per message. Moves to the next chunk; false at the end. Only for packets that decoded.
export function nextChunk(bytes: Uint8Array, cursor: ChunkCursor): boolean {
  const from = cursor.next;
  if (from >= bytes.length) return false;
  const length = getU16(bytes, from);
  const flags = bytes[from + 2]!;
  cursor.first = (flags & CHUNK_FIRST) !== 0;
  cursor.last = (flags & CHUNK_LAST) !== 0;
  cursor.service = bytes[from + 3]!;
  const tellsTotal = flags === CHUNK_FIRST;
  cursor.total = tellsTotal ? getU32(bytes, from + CHUNK_HEADER_BYTES) : length;
  cursor.start = from + CHUNK_HEADER_BYTES + (tellsTotal ? CHUNK_TOTAL_BYTES : 0);
  cursor.end = cursor.start + length;
  cursor.next = cursor.end;
  return true;
}

/** Whether the chunks fill the packet exactly and each one makes sense. */
export function checkChunks(bytes: Uint8Array): boolean {
  let from = DATA_HEADER_BYTES;
  if (from >= bytes.length) return false;
  while (from < bytes.length) {
    if (from + CHUNK_HEADER_BYTES > bytes.length) return false;
    const length = getU16(bytes, from);
    const flags = bytes[from + 2]!;
    if (flags > FLAGS || bytes[from + 3]! >= SERVICES.length) return false;
    from += CHUNK_HEADER_BYTES;
    if (flags === CHUNK_FIRST) {
      if (from + CHUNK_TOTAL_BYTES > bytes.length) return false;
      const total = getU32(bytes, from);
      if (total <= length || total > LIMITS.messageBytes) return false;
      from += CHUNK_TOTAL_BYTES;
    }
    from += length;
  }
  return from === bytes.length;
}

/** Writes the chunk's fields and returns where its payload goes. `total` is given for the first piece of a message. */
export function putChunk(
  bytes: Uint8Array,
  from: number,
  first: boolean,
  last: boolean,
  service: number,
  length: number,
  total: number,
): number {
  putU16(bytes, from, length);
  bytes[from + 2] = (first ? CHUNK_FIRST : 0) | (last ? CHUNK_LAST : 0);
  bytes[from + 3] = service;
  if (!first || last) return from + CHUNK_HEADER_BYTES;
  putU32(bytes, from + CHUNK_HEADER_BYTES, total);
  return from + CHUNK_HEADER_BYTES + CHUNK_TOTAL_BYTES;
}
