/**
 * What daemons say to each other about groups, as payloads of ring messages. Names are latin1 strings of 1 to 255
 * bytes: groups, and sessions by their private group (`#name#daemon`).
 */
import { getU16, getU32, putU16, putU32 } from './bytes.ts';
import { type DurableEvent, DurableType, decodeDurable, encodeDurable } from './durable.ts';
import { type Cursor, putName, takeName } from './names.ts';
import { isOrigin, ORIGIN_BYTES, type Origin, putOrigin, takeOrigin } from './origin.ts';
import { decodeReading, encodeReading, type ReadingEvent, ReadingType } from './readings.ts';

const EventType = { message: 1, join: 2, leave: 3, disconnect: 4, state: 5, pressure: 6 } as const;

const SELF_DISCARD = 1;
const BIG_ENDIAN = 2;
const ORIGIN = 4;

/** A message to groups. */
export interface GroupMessage {
  readonly kind: 'message';
  readonly session: string;
  /** One or more; private groups of sessions too. */
  readonly groups: readonly string[];
  /** 16 bits that are the application's. */
  readonly messageType: number;
  /** The sender's machine has its numbers so: a receiver may have to turn those in the data. */
  readonly bigEndian: boolean;
  /** The sender wants no copy. */
  readonly selfDiscard: boolean;
  /** UTF-8, up to 255 bytes; '' for none. What the message is about: a newer one with the same key may replace it. */
  readonly key: string;
  /** Where it comes from: a message that came before with the same one is a repeat. */
  readonly origin?: Origin | undefined;
  readonly data: Uint8Array;
}

export interface GroupChange {
  readonly kind: 'join' | 'leave';
  readonly session: string;
  readonly group: string;
}

export interface SessionGone {
  readonly kind: 'disconnect';
  readonly session: string;
}

/** What a daemon brings into a new configuration. */
export interface GroupState {
  readonly kind: 'state';
  /** Daemons with the same one have seen the same until now. */
  readonly history: string;
  /** Of the daemon's own sessions. */
  readonly members: readonly { readonly group: string; readonly session: string }[];
}

/** A daemon's receivers of a group are slow: nobody should send to it for now, or may again. */
export interface GroupPressure {
  readonly kind: 'pressure';
  readonly group: string;
  readonly on: boolean;
}

export type GroupEvent =
  | GroupMessage
  | GroupChange
  | SessionGone
  | GroupState
  | GroupPressure
  | DurableEvent
  | ReadingEvent;

/** Rows in one state, at most: 1,000 sessions in 100 groups each. */
export const GROUP_ROWS_MAX = 100_000;
const GROUPS_MAX = 255;
export const KEY_BYTES_MAX = 255;

export function encodeEvent(event: GroupEvent): Buffer {
  switch (event.kind) {
    case 'message': {
      const { session, groups, key, origin, data } = event;
      const keyBytes = key === '' ? 0 : Buffer.byteLength(key);
      const known = origin !== undefined && isOrigin(origin);
      const head = 4 + (known ? ORIGIN_BYTES : 0);
      let length = head + 1 + session.length + 1 + 1 + keyBytes + data.length;
      for (const group of groups) length += 1 + group.length;
      const bytes = Buffer.allocUnsafe(length);
      bytes[0] = EventType.message;
      bytes[1] =
        (event.selfDiscard ? SELF_DISCARD : 0) | (event.bigEndian ? BIG_ENDIAN : 0) | (known ? ORIGIN : 0);
      putU16(bytes, 2, event.messageType);
      if (known) putOrigin(bytes, 4, origin);
      let at = putName(bytes, head, session);
      bytes[at++] = groups.length;
      for (const group of groups) at = putName(bytes, at, group);
      bytes[at++] = keyBytes;
      if (keyBytes > 0) at += bytes.write(key, at, 'utf8');
      bytes.set(data, at);
      return bytes;
    }
    case 'join':
    case 'leave': {
      const bytes = Buffer.allocUnsafe(3 + event.session.length + event.group.length);
      bytes[0] = EventType[event.kind];
      putName(bytes, putName(bytes, 1, event.session), event.group);
      return bytes;
    }
    case 'disconnect': {
      const bytes = Buffer.allocUnsafe(2 + event.session.length);
      bytes[0] = EventType.disconnect;
      putName(bytes, 1, event.session);
      return bytes;
    }
    case 'pressure': {
      const bytes = Buffer.allocUnsafe(3 + event.group.length);
      bytes[0] = EventType.pressure;
      bytes[1] = event.on ? 1 : 0;
      putName(bytes, 2, event.group);
      return bytes;
    }
    case 'state': {
      const { history, members } = event;
      let length = 1 + 1 + history.length + 4;
      for (const { group, session } of members) length += 2 + group.length + session.length;
      const bytes = Buffer.allocUnsafe(length);
      bytes[0] = EventType.state;
      let at = putName(bytes, 1, history);
      putU32(bytes, at, members.length);
      at += 4;
      for (const { group, session } of members) at = putName(bytes, putName(bytes, at, group), session);
      return bytes;
    }
    case 'keeping':
    case 'fill':
    case 'filled':
      return encodeDurable(event);
    case 'read':
    case 'given':
    case 'told':
    case 'taken':
    case 'unread':
      return encodeReading(event);
  }
}

/** `undefined` for what is no event. The data of a message is not copied. */
export function decodeEvent(bytes: Buffer): GroupEvent | undefined {
  const cursor = { bytes, at: 1 };
  switch (bytes[0]) {
    case EventType.message: {
      if (bytes.length < 7 || bytes[1]! > (SELF_DISCARD | BIG_ENDIAN | ORIGIN)) return undefined;
      cursor.at = 4;
      let origin: Origin | undefined;
      if ((bytes[1]! & ORIGIN) !== 0) {
        cursor.at += ORIGIN_BYTES;
        origin = cursor.at < bytes.length ? takeOrigin(bytes, 4) : undefined;
        if (origin === undefined) return undefined;
      }
      const session = takeName(cursor);
      const count = bytes[cursor.at++];
      if (session === undefined || count === undefined || count === 0) return undefined;
      const groups: string[] = [];
      for (let i = 0; i < count; i++) {
        const group = takeName(cursor);
        if (group === undefined) return undefined;
        groups.push(group);
      }
      const keyBytes = bytes[cursor.at++];
      if (keyBytes === undefined || cursor.at + keyBytes > bytes.length) return undefined;
      const key = keyBytes === 0 ? '' : bytes.toString('utf8', cursor.at, cursor.at + keyBytes);
      return {
        kind: 'message',
        session,
        groups,
        messageType: getU16(bytes, 2),
        bigEndian: (bytes[1]! & BIG_ENDIAN) !== 0,
        selfDiscard: (bytes[1]! & SELF_DISCARD) !== 0,
        key,
        ...(origin === undefined ? undefined : { origin }),
        data: bytes.subarray(cursor.at + keyBytes),
      };
    }
    case EventType.join:
    case EventType.leave: {
      const session = takeName(cursor);
      const group = takeName(cursor);
      if (session === undefined || group === undefined || cursor.at !== bytes.length) return undefined;
      return { kind: bytes[0] === EventType.join ? 'join' : 'leave', session, group };
    }
    case EventType.disconnect: {
      const session = takeName(cursor);
      return session === undefined || cursor.at !== bytes.length
        ? undefined
        : { kind: 'disconnect', session };
    }
    case EventType.pressure: {
      if (bytes.length < 3 || bytes[1]! > 1) return undefined;
      cursor.at = 2;
      const group = takeName(cursor);
      return group === undefined || cursor.at !== bytes.length
        ? undefined
        : { kind: 'pressure', group, on: bytes[1] === 1 };
    }
    case EventType.state:
      return takeState(cursor);
    case DurableType.keeping:
    case DurableType.fill:
    case DurableType.filled:
      return decodeDurable(bytes);
    case ReadingType.read:
    case ReadingType.given:
    case ReadingType.told:
    case ReadingType.taken:
    case ReadingType.unread:
      return decodeReading(bytes);
    default:
      return undefined;
  }
}

/** Groups that one message can name. */
export function groupsFit(groups: readonly string[]): boolean {
  return groups.length > 0 && groups.length <= GROUPS_MAX;
}

function takeState(cursor: Cursor): GroupState | undefined {
  const { bytes } = cursor;
  const history = takeName(cursor);
  if (history === undefined || cursor.at + 4 > bytes.length) return undefined;
  const count = getU32(bytes, cursor.at);
  cursor.at += 4;
  if (count > GROUP_ROWS_MAX) return undefined;
  const members: { group: string; session: string }[] = [];
  for (let i = 0; i < count; i++) {
    const group = takeName(cursor);
    const session = takeName(cursor);
    if (group === undefined || session === undefined) return undefined;
    members.push({ group, session });
  }
  // What a newer version says behind it is passed over: without a state the exchange would never end.
  return { kind: 'state', history, members };
}
