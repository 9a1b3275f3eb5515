/**
 * The 48 bytes before every frame, in the sender's byte order: type, a name, how many groups, the hint, how
 * many bytes of data.
 *
 * The hint is the exception: it carries the byte order of the client that sent the message, through any daemon,
 * and its message type is in that order.
 */
import type { Output } from '../bytes/output.ts';
import { NAME_FIELD_BYTES, readName } from './names.ts';
import { type ByteOrder, orderOf, readInt32, writeInt32 } from './order.ts';
import { ENDIAN_BITS } from './types.ts';

export const HEADER_BYTES = 48;
const AT = { type: 0, name: 4, groups: 36, hint: 40, data: 44 } as const;

/** The fields of one header after another: a decoder has one, and reads each frame's into it. */
export class Header {
  order: ByteOrder = 'little';
  /** Without the bits of the byte order. */
  type = 0;
  name = '';
  /** May be negative. */
  groups = 0;
  /** `undefined` if the hint has other bits than it may. */
  messageOrder: ByteOrder | undefined = 'little';
  messageType = 0;
  /** May be negative. */
  data = 0;

  /** False if the type has only a part of the bits of the byte order. */
  read(buffer: Buffer, at: number): boolean {
    const order = orderOf(buffer, at + AT.type);
    if (order === undefined) return false;
    this.order = order;
    this.type = readInt32(buffer, at + AT.type, order) & ~ENDIAN_BITS;
    this.name = readName(buffer, at + AT.name);
    this.groups = readInt32(buffer, at + AT.groups, order);
    this.data = readInt32(buffer, at + AT.data, order);
    const hint = at + AT.hint;
    const extra = (buffer[hint]! | buffer[hint + 3]!) & 0x7f;
    this.messageOrder = extra === 0 ? orderOf(buffer, hint) : undefined;
    this.messageType =
      this.messageOrder === 'little'
        ? buffer[hint + 1]! | (buffer[hint + 2]! << 8)
        : (buffer[hint + 1]! << 8) | buffer[hint + 2]!;
    return true;
  }
}

/** A header; the name is at most 31 chars, the message type 16 bits. */
export function writeHeader(
  out: Output,
  order: ByteOrder,
  type: number,
  name: string,
  groups: number,
  messageType: number,
  messageOrder: ByteOrder,
  data: number,
): void {
  const little = order === 'little';
  writeInt32(out, little ? type | ENDIAN_BITS : type, order);
  out.padded(name, NAME_FIELD_BYTES);
  writeInt32(out, groups, order);
  const hint = messageType << 8;
  writeInt32(out, messageOrder === 'little' ? hint | ENDIAN_BITS : hint, messageOrder);
  writeInt32(out, data, order);
}
