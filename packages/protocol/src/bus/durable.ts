/** What daemons that keep groups say to each other, so that they hold the same. What it means: docs/internals/durable.md. */
import { getU16, getU32, getU64, putU16, putU32, putU64 } from './bytes.ts';
import { type Cursor, putName, takeName } from './names.ts';
import type { RingId } from './packets.ts';
import { putRecords, takeRecords } from './readings.ts';

/** What a daemon holds of what one daemon sent in one configuration: all up to `order`. */
export interface Strand {
  readonly ringSequence: number;
  readonly representative: number;
  /** The daemon that sent it. */
  readonly sender: number;
  readonly order: number;
}

export interface KeptGroup {
  readonly name: string;
  /** Of rings up to this sequence it lacks nothing that it wants. */
  readonly floor: number;
  readonly strands: readonly Strand[];
}

/** What a daemon keeps, at the beginning of a configuration. */
export interface Keeping {
  readonly kind: 'keeping';
  readonly ring: RingId;
  /** Names, or beginnings of names with `*` behind: of what it wants to keep. */
  readonly patterns: readonly string[];
  /** Of these, those with the last values of keys. */
  readonly views: readonly string[];
  readonly groups: readonly KeptGroup[];
}

/** Messages that somebody lacks, in the order in which they are to be kept. */
export interface Fill {
  readonly kind: 'fill';
  readonly ring: RingId;
  readonly group: string;
  readonly turn: number;
  /** WebSocket records, each beginning with its length. */
  readonly records: readonly Uint8Array[];
}

/** A turn is over. */
export interface Filled {
  readonly kind: 'filled';
  readonly ring: RingId;
  readonly group: string;
  readonly turn: number;
}

export type DurableEvent = Keeping | Fill | Filled;

export const DurableType = { keeping: 7, fill: 8, filled: 9 } as const;
const STRAND_BYTES = 24;
/** Type, representative, ring sequence. */
const HEAD_BYTES = 13;

export function encodeDurable(event: DurableEvent): Buffer {
  const bytes = Buffer.allocUnsafe(sizeOf(event));
  bytes[0] = DurableType[event.kind];
  putU32(bytes, 1, event.ring.representative);
  putU64(bytes, 5, event.ring.sequence);
  let at = HEAD_BYTES;
  if (event.kind === 'keeping') {
    at = putNames(bytes, at, event.patterns);
    putU32(bytes, at, event.groups.length);
    at += 4;
    for (const { name, floor, strands } of event.groups) {
      at = putName(bytes, at, name);
      putU64(bytes, at, floor);
      putU32(bytes, at + 8, strands.length);
      at += 12;
      for (const { ringSequence, representative, sender, order } of strands) {
        putU64(bytes, at, ringSequence);
        putU32(bytes, at + 8, representative);
        putU32(bytes, at + 12, sender);
        putU64(bytes, at + 16, order);
        at += STRAND_BYTES;
      }
    }
    putNames(bytes, at, event.views);
    return bytes;
  }
  at = putName(bytes, at, event.group);
  putU32(bytes, at, event.turn);
  at += 4;
  if (event.kind === 'fill') putRecords(bytes, at, event.records);
  return bytes;
}

/** `undefined` for what is none. Records are not copied, and only their lengths are looked at. */
export function decodeDurable(bytes: Buffer): DurableEvent | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const ring = { representative: getU32(bytes, 1), sequence: getU64(bytes, 5) };
  if (!Number.isSafeInteger(ring.sequence)) return undefined;
  const cursor = { bytes, at: HEAD_BYTES };
  if (bytes[0] === DurableType.keeping) return takeKeeping(cursor, ring);
  const group = takeName(cursor);
  if (group === undefined || cursor.at + 4 > bytes.length) return undefined;
  const turn = getU32(bytes, cursor.at);
  cursor.at += 4;
  if (bytes[0] === DurableType.filled) {
    return { kind: 'filled', ring, group, turn };
  }
  const records = takeRecords(bytes, cursor.at);
  return records && { kind: 'fill', ring, group, turn, records };
}

function takeKeeping(cursor: Cursor, ring: RingId): Keeping | undefined {
  const { bytes } = cursor;
  const patterns = takeNames(cursor);
  if (patterns === undefined || cursor.at + 4 > bytes.length) return undefined;
  const count = getU32(bytes, cursor.at);
  cursor.at += 4;
  const groups: KeptGroup[] = [];
  for (let index = 0; index < count; index++) {
    const name = takeName(cursor);
    if (name === undefined || cursor.at + 12 > bytes.length) return undefined;
    const floor = getU64(bytes, cursor.at);
    const size = getU32(bytes, cursor.at + 8);
    cursor.at += 12;
    if (!Number.isSafeInteger(floor) || cursor.at + size * STRAND_BYTES > bytes.length) return undefined;
    const strands: Strand[] = [];
    for (let strand = 0; strand < size; strand++, cursor.at += STRAND_BYTES) {
      const ringSequence = getU64(bytes, cursor.at);
      const order = getU64(bytes, cursor.at + 16);
      if (!Number.isSafeInteger(ringSequence) || !Number.isSafeInteger(order)) return undefined;
      const representative = getU32(bytes, cursor.at + 8);
      strands.push({ ringSequence, representative, sender: getU32(bytes, cursor.at + 12), order });
    }
    groups.push({ name, floor, strands });
  }
  const views = takeNames(cursor);
  if (views === undefined) return undefined;
  // What a newer version says behind it is passed over.
  return { kind: 'keeping', ring, patterns, views, groups };
}

function putNames(bytes: Buffer, from: number, names: readonly string[]): number {
  putU16(bytes, from, names.length);
  let at = from + 2;
  for (const name of names) at = putName(bytes, at, name);
  return at;
}

function takeNames(cursor: Cursor): string[] | undefined {
  const { bytes } = cursor;
  if (cursor.at + 2 > bytes.length) return undefined;
  const names: string[] = [];
  const count = getU16(bytes, cursor.at);
  cursor.at += 2;
  for (let index = 0; index < count; index++) {
    const name = takeName(cursor);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names;
}

function sizeOf(event: DurableEvent): number {
  if (event.kind === 'filled') return HEAD_BYTES + 1 + event.group.length + 4;
  if (event.kind === 'fill') {
    return event.records.reduce(
      (sum, record) => sum + record.length,
      HEAD_BYTES + 1 + event.group.length + 4,
    );
  }
  let size = HEAD_BYTES + 2 + 4 + 2;
  for (const pattern of [...event.patterns, ...event.views]) size += 1 + pattern.length;
  for (const { name, strands } of event.groups) size += 1 + name.length + 12 + strands.length * STRAND_BYTES;
  return size;
}
