/**
 * What daemons say to each other about groups, as payloads of ring messages. Names are latin1 strings of 1 to 255
 * bytes: groups, and sessions by their private group (`#name#daemon`).
 */
import { getU16, getU32, putU16, putU32 } from './bytes.ts';

const EventType = { message: 1, join: 2, leave: 3, disconnect: 4, state: 5 } as const;

/** A message to groups. */
export interface GroupMessage {
  readonly kind: 'message';
  readonly session: string;
  /** One or more; private groups of sessions too. */
  readonly groups: readonly string[];
  /** 16 bits that are the application's. */
  readonly messageType: number;
  readonly selfDiscard: boolean;
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

export type GroupEvent = GroupMessage | GroupChange | SessionGone | GroupState;

/** Rows in one state, at most: 1,000 sessions in 100 groups each. */
const MEMBERS_MAX = 100_000;
const GROUPS_MAX = 255;

export function encodeEvent(event: GroupEvent): Buffer {
  switch (event.kind) {
    case 'message': {
      const { session, groups, data } = event;
      let length = 4 + 1 + session.length + 1 + data.length;
      for (const group of groups) length += 1 + group.length;
      const bytes = Buffer.allocUnsafe(length);
      bytes[0] = EventType.message;
      bytes[1] = event.selfDiscard ? 1 : 0;
      putU16(bytes, 2, event.messageType);
      let at = putName(bytes, 4, session);
      bytes[at++] = groups.length;
      for (const group of groups) at = putName(bytes, at, group);
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
  }
}

/** `undefined` for what is no event. The data of a message is not copied. */
export function decodeEvent(bytes: Buffer): GroupEvent | undefined {
  const cursor = { bytes, at: 1 };
  switch (bytes[0]) {
    case EventType.message: {
      if (bytes.length < 6 || bytes[1]! > 1) return undefined;
      cursor.at = 4;
      const session = takeName(cursor);
      const count = bytes[cursor.at++];
      if (session === undefined || count === undefined || count === 0) return undefined;
      const groups: string[] = [];
      for (let i = 0; i < count; i++) {
        const group = takeName(cursor);
        if (group === undefined) return undefined;
        groups.push(group);
      }
      const [selfDiscard, messageType] = [bytes[1] === 1, getU16(bytes, 2)];
      return { kind: 'message', session, groups, messageType, selfDiscard, data: bytes.subarray(cursor.at) };
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
    case EventType.state:
      return takeState(cursor);
    default:
      return undefined;
  }
}

/** Groups that one message can name. */
export function groupsFit(groups: readonly string[]): boolean {
  return groups.length > 0 && groups.length <= GROUPS_MAX;
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function takeState(cursor: Cursor): GroupState | undefined {
  const { bytes } = cursor;
  const history = takeName(cursor);
  if (history === undefined || cursor.at + 4 > bytes.length) return undefined;
  const count = getU32(bytes, cursor.at);
  cursor.at += 4;
  if (count > MEMBERS_MAX) return undefined;
  const members: { group: string; session: string }[] = [];
  for (let i = 0; i < count; i++) {
    const group = takeName(cursor);
    const session = takeName(cursor);
    if (group === undefined || session === undefined) return undefined;
    members.push({ group, session });
  }
  return cursor.at === bytes.length ? { kind: 'state', history, members } : undefined;
}

function putName(bytes: Buffer, at: number, name: string): number {
  bytes[at] = name.length;
  bytes.write(name, at + 1, name.length, 'latin1');
  return at + 1 + name.length;
}

function takeName(cursor: Cursor): string | undefined {
  const { bytes, at } = cursor;
  const length = bytes[at];
  if (length === undefined || length === 0 || at + 1 + length > bytes.length) return undefined;
  cursor.at = at + 1 + length;
  return bytes.toString('latin1', at + 1, cursor.at);
}
