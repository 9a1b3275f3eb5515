/** Binary frames: many messages in one, without copying their data when read. */
import { getU16, getU32, getU64, putU16, putU32, putU64 } from '../bus/bytes.ts';
import { isOrigin, ORIGIN_BYTES, type Origin, putOrigin, takeOrigin } from '../bus/origin.ts';
import { SERVICES, type Service, serviceCode } from '../bus/services.ts';
import { EncodeError } from '../spread/errors.ts';
import { isDestination, parsePrivateGroup } from '../spread/names.ts';
import { type Bad, bad } from './controls.ts';
import { utf8Length } from './data.ts';
import { KEPT_BYTES, type Kept, putKept, takeKept } from './kept.ts';
import { FRAME_OVERHEAD_BYTES, KEY_BYTES, type Limits, NUMBER_MAX, withDefaults } from './limits.ts';
import { readName, writeName } from './names.ts';

/** A message as a record holds it. */
export interface MessageRecord {
  /** The session that sent it; empty from a client, whose session the daemon knows. */
  readonly sender: string;
  /** Groups, and sessions as `#name#daemon`. */
  readonly groups: readonly string[];
  readonly service: Service;
  /** 16 bits that are the application's. */
  readonly messageType: number;
  /** At most 255 bytes of UTF-8; empty for none. */
  readonly key: string;
  /** The sender wants no copy. */
  readonly selfDiscard: boolean;
  /** The sender's own numbers are big-endian, as Spread's clients tell each other. */
  readonly bigEndian: boolean;
  /** A message that came before with the same one is a repeat: it is confirmed, and not given to anybody again. */
  readonly origin?: Origin | undefined;
  /** Of what a daemon has kept: where. */
  readonly kept?: Kept | undefined;
  /** When read, a part of the frame. */
  readonly data: Uint8Array;
}

export interface NumberedRecord extends MessageRecord {
  /** Of the request or the delivery. */
  readonly number: number;
}

const FRAME_VERSION = 1;
const FRAME_HEADER_BYTES = 12;
/** Of the record's length itself, which doesn't count in it. */
export const LENGTH_BYTES = 4;
export const RECORD_HEADER_BYTES = 12;
const SELF_DISCARD = 1;
const BIG_ENDIAN = 2;
export const ORIGIN = 4;
export const KEPT = 8;
/** `#`, which sessions begin with and groups don't. */
const HASH = 0x23;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * One record's bytes, which all its receivers may share.
 *
 * @throws EncodeError for what the layout can't hold. How many groups and bytes the daemon takes stands in its welcome.
 */
export function encodeRecord(record: MessageRecord): Uint8Array {
  return encode(record, 0);
}

/** As `encodeRecord`, for a sender that has it to itself: a large one needs no copy in `frameOfOwn`. */
export function encodeOwnRecord(record: MessageRecord): Uint8Array {
  return encode(record, FRAME_HEADER_BYTES);
}

// hot: once per message sent, on both sides.
function encode(record: MessageRecord, roomBytes: number): Uint8Array {
  const { sender, groups, key, data, messageType, origin, kept } = record;
  check(record);
  const keyBytes = key === '' ? 0 : utf8Length(key);
  if (keyBytes > KEY_BYTES) throw new EncodeError('invalid_key', 'a key has at most 255 bytes of UTF-8');
  let head = RECORD_HEADER_BYTES;
  if (origin !== undefined) head += ORIGIN_BYTES;
  if (kept !== undefined) head += KEPT_BYTES;
  let length = head + sender.length + keyBytes + data.length;
  for (let index = 0; index < groups.length; index++) length += 1 + groups[index]!.length;
  const bytes = allocate(length, roomBytes);
  putU32(bytes, 0, length - LENGTH_BYTES);
  bytes[4] = serviceCode(record.service);
  bytes[5] =
    (record.selfDiscard ? SELF_DISCARD : 0) |
    (record.bigEndian ? BIG_ENDIAN : 0) |
    (origin === undefined ? 0 : ORIGIN) |
    (kept === undefined ? 0 : KEPT);
  putU16(bytes, 6, messageType);
  bytes[8] = groups.length;
  bytes[9] = keyBytes;
  bytes[10] = sender.length;
  if (origin !== undefined) putOrigin(bytes, RECORD_HEADER_BYTES, origin);
  if (kept !== undefined) putKept(bytes, head - KEPT_BYTES, kept);
  let at = writeName(bytes, head, sender);
  for (let index = 0; index < groups.length; index++) {
    const group = groups[index]!;
    bytes[at] = group.length;
    at = writeName(bytes, at + 1, group);
  }
  if (keyBytes > 0) encoder.encodeInto(key, bytes.subarray(at, at + keyBytes));
  bytes.set(data, at + keyBytes);
  return bytes;
}

/** Small records are cut from one piece: an array of its own costs each more than filling it. Nothing is given twice. */
const SLAB_BYTES = 16 * 1024;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** A large one has as much room before it. */
function allocate(length: number, roomBytes: number): Uint8Array {
  if (length > SLAB_BYTES / 8) {
    const bytes = new Uint8Array(roomBytes + length);
    return roomBytes === 0 ? bytes : bytes.subarray(roomBytes);
  }
  if (slabUsed + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += length;
  return new Uint8Array(slab.buffer, slabUsed - length, length);
}

/** A frame of records from `encodeRecord`, numbered on from `firstNumber`. */
// hot: once per frame, a copy per record: a WebSocket message is one piece of memory.
export function frameOf(firstNumber: number, records: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = FRAME_HEADER_BYTES;
  for (let index = 0; index < records.length; index++) length += records[index]!.length;
  const bytes = new Uint8Array(length);
  putHeader(bytes, firstNumber);
  let at = FRAME_HEADER_BYTES;
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!;
    bytes.set(record, at);
    at += record.length;
  }
  return bytes;
}

/**
 * As `frameOf`, of records from `encodeOwnRecord`: a large one alone isn't copied, the frame is where it lies. Send it
 * before you make another of the same record, to a socket that copies.
 */
// hot: once per frame.
export function frameOfOwn(firstNumber: number, records: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const record = records[0]!;
  const { buffer, byteOffset, byteLength } = record;
  const alone = records.length === 1 && byteOffset === FRAME_HEADER_BYTES;
  if (!alone || buffer.byteLength !== FRAME_HEADER_BYTES + byteLength) return frameOf(firstNumber, records);
  const bytes = new Uint8Array(buffer as ArrayBuffer);
  putHeader(bytes, firstNumber);
  return bytes;
}

function putHeader(bytes: Uint8Array, firstNumber: number): void {
  putU32(bytes, 0, FRAME_VERSION);
  putU64(bytes, 4, firstNumber);
}

/**
 * The records of a frame that `from` sent, or `bad`: then none of them counts. Never throws. The data isn't copied:
 * don't write to `bytes` afterwards, and copy what should outlive it.
 */
// hot: once per frame, on both sides.
export function decodeFrame(
  bytes: Uint8Array,
  from: 'client' | 'daemon',
  limits?: Partial<Limits>,
): NumberedRecord[] | Bad {
  const { messageBytes, groups: groupsMost, records: recordsMost } = withDefaults(limits);
  if (bytes.length > messageBytes + FRAME_OVERHEAD_BYTES) {
    return wrong(`a binary frame has at most ${messageBytes + FRAME_OVERHEAD_BYTES} bytes`);
  }
  if (bytes.length < FRAME_HEADER_BYTES || getU32(bytes, 0) !== FRAME_VERSION) {
    return wrong('a binary frame begins with 1, 0, 0, 0 and the first number');
  }
  let number = getU64(bytes, 4);
  if (number < 1 || number > NUMBER_MAX - recordsMost) return wrong('numbers are 1 to 2^53 - 1');
  const records: NumberedRecord[] = [];
  let at = FRAME_HEADER_BYTES;
  if (at === bytes.length) return wrong('a binary frame has at least one record');
  while (at < bytes.length) {
    if (records.length === recordsMost) return wrong(`a binary frame has at most ${recordsMost} records`);
    let start = at + RECORD_HEADER_BYTES;
    if (start > bytes.length) return wrong('a record has 12 bytes before its names');
    const end = at + LENGTH_BYTES + getU32(bytes, at);
    if (end > bytes.length || end < start) return wrong('the length of a record is that of its bytes');
    const service = SERVICES[bytes[at + 4]!];
    const flags = bytes[at + 5]!;
    const count = bytes[at + 8]!;
    const keyBytes = bytes[at + 9]!;
    const senderBytes = bytes[at + 10]!;
    if (service === undefined) return wrong('a service is 0 to 5');
    if ((flags & ~(SELF_DISCARD | BIG_ENDIAN | ORIGIN | KEPT)) !== 0 || bytes[at + 11] !== 0) {
      return wrong('unused bits are 0');
    }
    let origin: Origin | undefined;
    if ((flags & ORIGIN) !== 0) {
      origin = start + ORIGIN_BYTES <= end ? takeOrigin(bytes, start) : undefined;
      if (origin === undefined) return wrong('an origin is a publisher and a sequence from 1');
      start += ORIGIN_BYTES;
    }
    let kept: Kept | undefined;
    if ((flags & KEPT) !== 0) {
      kept = from === 'daemon' && start + KEPT_BYTES <= end ? takeKept(bytes, start) : undefined;
      if (kept === undefined) return wrong('only a daemon says where a message is kept');
      start += KEPT_BYTES;
    }
    if (count === 0 || count > groupsMost) return wrong(`a message goes to 1 to ${groupsMost} groups`);
    if ((senderBytes === 0) !== (from === 'client')) {
      return wrong('a daemon names the sender of a message, a client does not');
    }
    let next = start + senderBytes;
    let sender = '';
    if (senderBytes > 0) {
      const name = next <= end ? readName(bytes, start, next) : undefined;
      if (name?.charCodeAt(0) !== HASH) return wrong('a sender is #name#daemon');
      sender = name;
    }
    const groups: string[] = [];
    for (let left = count; left > 0; left--) {
      const to = next < end ? next + 1 + bytes[next]! : end + 1;
      const group = to <= end ? readName(bytes, next + 1, to) : undefined;
      if (group === undefined) return wrong('a message goes to groups, and to sessions as #name#daemon');
      groups.push(group);
      next = to;
    }
    const key =
      keyBytes === 0 ? '' : next + keyBytes <= end ? readKey(bytes, next, next + keyBytes) : undefined;
    if (key === undefined) return wrong('a key is UTF-8');
    next += keyBytes;
    if (end - next > messageBytes) return wrong(`a message has at most ${messageBytes} bytes`);
    records.push({
      number,
      sender,
      groups,
      service,
      messageType: getU16(bytes, at + 6),
      key,
      selfDiscard: (flags & SELF_DISCARD) !== 0,
      bigEndian: (flags & BIG_ENDIAN) !== 0,
      origin,
      kept,
      // Not `subarray`: that of a Buffer is a Buffer, made at half the speed.
      data: new Uint8Array(bytes.buffer, bytes.byteOffset + next, end - next),
    });
    number++;
    at = end;
  }
  return records;
}

function wrong(message: string): Bad {
  return bad('BAD_FRAME', message);
}

function readKey(bytes: Uint8Array, from: number, to: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(from, to));
  } catch {
    return undefined;
  }
}

function check({ sender, groups, messageType, key, origin }: MessageRecord): void {
  if (origin !== undefined && !isOrigin(origin)) {
    throw new EncodeError('invalid_origin', 'a publisher is 32 hex digits, its sequence counts from 1');
  }
  if (groups.length === 0 || groups.length > 255) {
    throw new EncodeError('invalid_groups', 'a message goes to 1 to 255 groups');
  }
  for (let index = 0; index < groups.length; index++) {
    if (!isDestination(groups[index]!)) {
      throw new EncodeError('invalid_group', `${JSON.stringify(groups[index])} is no group`);
    }
  }
  if (sender !== '' && parsePrivateGroup(sender) === undefined) {
    throw new EncodeError('invalid_name', `${JSON.stringify(sender)} is no session`);
  }
  if (!(messageType >= 0 && messageType <= 0xffff) || !Number.isInteger(messageType)) {
    throw new EncodeError('invalid_message_type', 'a message type is 0 to 65535');
  }
  if (key.length > KEY_BYTES) throw new EncodeError('invalid_key', 'a key has at most 255 bytes of UTF-8');
}
