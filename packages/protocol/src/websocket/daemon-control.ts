/** Text frames of a daemon <-> values. */
import { SERVICES } from '../bus/services.ts';
import { isDaemonName, isDestination, isGroupName, parsePrivateGroup } from '../spread/names.ts';
import {
  type Bad,
  bad,
  CLOSE_CODES,
  type DaemonControl,
  type Delivery,
  type EndCode,
  REFUSAL_CODES,
} from './controls.ts';
import { fromFields, toField } from './data.ts';
import {
  asFields,
  type Fields,
  flag,
  has,
  integer,
  list,
  named,
  oneOf,
  parseFields,
  text,
  Wrong,
} from './fields.ts';
import type { Kept } from './kept.ts';
import { type Limits, withDefaults } from './limits.ts';

const END_CODES = Object.keys(CLOSE_CODES) as readonly EndCode[];
const CAUSES = ['join', 'leave', 'disconnect', 'network'] as const;
/** Characters of a message or a reason: for people. */
const REASON = 4096;

/**
 * Never throws; after what is `bad` the connection is of no use. Fields that aren't known are passed over: a newer
 * daemon may tell more. Types that aren't known are bad: a delivery may be none.
 */
export function decodeDaemonControl(frame: string, limits?: Partial<Limits>): DaemonControl | Bad {
  try {
    return decode(parseFields(frame, withDefaults(limits).deliveryText), withDefaults(limits));
  } catch (error) {
    if (error instanceof Wrong) return bad('BAD_FRAME', error.message);
    throw error;
  }
}

/** The frame's text. */
export function encodeDaemonControl(control: DaemonControl): string {
  switch (control.kind) {
    case 'welcome': {
      const { session, daemon, version, key, resumeMs, messageBytes, groups } = control;
      return JSON.stringify({
        type: 'welcome',
        session,
        daemon,
        version,
        key,
        resume_ms: resumeMs,
        message_bytes: messageBytes,
        groups,
      });
    }
    case 'view':
    case 'transition':
    case 'left':
    case 'dropped':
    case 'refused':
    case 'subscribed':
    case 'caught_up':
    case 'missed':
    case 'message':
      return numberDelivery(encodeDelivery(control), control.d);
    default: {
      const { kind, ...fields } = control;
      return JSON.stringify({ type: kind, ...fields });
    }
  }
}

type WithoutNumber<T> = T extends Delivery ? Omit<T, 'd'> : never;
/** A delivery that has no number yet: the same for all its receivers. */
export type SharedDelivery = WithoutNumber<Delivery>;

/** A delivery's text without its number, for `numberDelivery`: encode once, send to many. */
export function encodeDelivery(delivery: SharedDelivery): string {
  if (delivery.kind === 'message') {
    const { sender, groups, service, messageType, key, origin, kept, data } = delivery;
    return JSON.stringify({
      type: 'message',
      sender,
      groups,
      service,
      message_type: messageType,
      key: key === '' ? undefined : key,
      publisher: origin?.publisher,
      publisher_sequence: origin?.sequence,
      ...(kept === undefined ? undefined : keptFields(kept, groups)),
      ...toField(data),
    });
  }
  const { kind, ...fields } = delivery;
  return JSON.stringify({ type: kind, ...fields, d: undefined });
}

/** For people: a program that wants to go on elsewhere reads binary frames. */
function keptFields({ sequence, timeMs, groupIndex }: Kept, groups: readonly string[]): object {
  return { kept_for: groups[groupIndex], sequence, time_ms: timeMs };
}

/** The frame's text. `shared` is from `encodeDelivery`. */
export function numberDelivery(shared: string, d: number): string {
  return `{"d":${d},${shared.slice(1)}`;
}

function decode(fields: Fields, limits: Limits): DaemonControl {
  switch (fields.type) {
    case 'welcome':
      return {
        kind: 'welcome',
        session: session(fields.session),
        daemon: named(fields.daemon, 'daemon', isDaemonName),
        version: text(fields, 'version', REASON),
        key: text(fields, 'key', REASON),
        resumeMs: integer(fields, 'resume_ms', 0),
        messageBytes: integer(fields, 'message_bytes', 0),
        groups: integer(fields, 'groups', 1, 255),
      };
    case 'resumed':
      return { kind: 'resumed', taken: integer(fields, 'taken', 0) };
    case 'gone':
      return { kind: 'gone', reason: text(fields, 'reason', REASON) };
    case 'confirmed':
      return { kind: 'confirmed', n: integer(fields, 'n', 1) };
    case 'groups':
      return {
        kind: 'groups',
        id: integer(fields, 'id', 0),
        groups: list(fields, 'groups', limits.members).map((item) => {
          const entry = asFields(item, 'a group of a list');
          return { name: named(entry.name, 'group', isGroupName), members: integer(entry, 'members', 0) };
        }),
      };
    case 'members':
      return {
        kind: 'members',
        id: integer(fields, 'id', 0),
        group: named(fields.group, 'group', isGroupName),
        members: sessions(fields.members, 'members', limits),
      };
    case 'pong':
      return { kind: 'pong', id: integer(fields, 'id', 0) };
    case 'error':
      return {
        kind: 'error',
        code: oneOf(fields, 'code', END_CODES),
        message: text(fields, 'message', REASON),
      };
    default:
      return decodeDelivery(fields, limits);
  }
}

function decodeDelivery(fields: Fields, limits: Limits): Delivery {
  const d = integer(fields, 'd', 1);
  switch (fields.type) {
    case 'view': {
      const sets = list(fields, 'sets', limits.members);
      const view = {
        kind: 'view',
        d,
        group: named(fields.group, 'group', isGroupName),
        id: viewId(fields),
        cause: oneOf(fields, 'cause', CAUSES),
        members: sessions(fields.members, 'members', limits),
        changed: has(fields, 'changed') ? session(fields.changed) : undefined,
        sets: sets.map((set) => sessions(set, 'sets', limits)),
      } as const;
      return view;
    }
    case 'transition':
      return { kind: 'transition', d, group: named(fields.group, 'group', isGroupName), id: viewId(fields) };
    case 'left':
      return { kind: 'left', d, group: named(fields.group, 'group', isGroupName) };
    case 'dropped':
      return {
        kind: 'dropped',
        d,
        group: named(fields.group, 'group', isDestination),
        count: integer(fields, 'count', 1),
      };
    case 'refused':
      return {
        kind: 'refused',
        d,
        n: integer(fields, 'n', 1),
        code: oneOf(fields, 'code', REFUSAL_CODES),
        message: text(fields, 'message', REASON),
      };
    case 'subscribed':
      return {
        kind: 'subscribed',
        d,
        n: integer(fields, 'n', 1),
        group: named(fields.group, 'group', isGroupName),
        sequence: integer(fields, 'sequence', 0),
        last: integer(fields, 'last', 0),
        whole: flag(fields, 'whole', true),
        cursor: text(fields, 'cursor', limits.deliveryText),
      };
    case 'caught_up':
      return {
        kind: 'caught_up',
        d,
        group: named(fields.group, 'group', isGroupName),
        sequence: integer(fields, 'sequence', 0),
      };
    case 'missed':
      return {
        kind: 'missed',
        d,
        group: named(fields.group, 'group', isGroupName),
        count: integer(fields, 'count', 1),
      };
    case 'message':
      return {
        kind: 'message',
        d,
        sender: session(fields.sender),
        groups: list(fields, 'groups', 255).map((group) => named(group, 'group', isDestination)),
        service: oneOf(fields, 'service', SERVICES),
        messageType: integer(fields, 'message_type', 0, 0xffff),
        key: has(fields, 'key') ? text(fields, 'key', 255) : '',
        data: fromFields(fields),
      };
    default:
      throw new Wrong('"type" is none that a daemon says: it is of another version');
  }
}

function session(value: unknown): string {
  return named(value, 'session', (name) => parsePrivateGroup(name) !== undefined);
}

function sessions(value: unknown, name: string, limits: Limits): string[] {
  return list({ [name]: value }, name, limits.members).map(session);
}

function viewId(fields: Fields): string {
  return named(fields.id, 'view', (id) => /^\d{1,10}\.\d{1,10}\.\d{1,10}$/.test(id));
}
