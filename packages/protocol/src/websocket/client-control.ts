/** Text frames of a client <-> values. */
import { isOrigin, type Origin } from '../bus/origin.ts';
import { SERVICES } from '../bus/services.ts';
import { isDestination, isGroupName, isPrivateName, parsePrivateGroup } from '../spread/names.ts';
import { type Bad, bad, type ClientControl } from './controls.ts';
import { fromFields, toField, utf8Length } from './data.ts';
import {
  type Fields,
  flag,
  has,
  integer,
  list,
  named,
  oneOf,
  only,
  parseFields,
  text,
  Wrong,
} from './fields.ts';
import { KEY_BYTES, type Limits, NUMBER_MAX, TOKEN_CHARACTERS, withDefaults } from './limits.ts';
import { filterOf, fromOf, fromToFields } from './subscribe.ts';

/** Never throws. What is `bad` with an `n` is a request to refuse; any other ends the connection. */
export function decodeClientControl(frame: string, limits?: Partial<Limits>): ClientControl | Bad {
  try {
    return decode(parseFields(frame, withDefaults(limits).requestText), withDefaults(limits));
  } catch (error) {
    if (error instanceof Wrong) return bad('BAD_FRAME', error.message);
    throw error;
  }
}

/** The frame's text. The values are taken as they are: the daemon checks them. */
export function encodeClientControl(control: ClientControl): string {
  switch (control.kind) {
    case 'hello': {
      const { name, membership, messages, token, windowBytes } = control;
      return JSON.stringify({ type: 'hello', name, membership, messages, token, window_bytes: windowBytes });
    }
    case 'send': {
      const { n, groups, service, messageType, key, selfDiscard, origin, data } = control;
      return JSON.stringify({
        type: 'send',
        n,
        groups,
        service,
        message_type: messageType,
        key: key === '' ? undefined : key,
        self_discard: selfDiscard,
        publisher: origin?.publisher,
        sequence: origin?.sequence,
        ...toField(data),
      });
    }
    case 'subscribe': {
      const { n, group, from, filter, lastValue } = control;
      const view = lastValue ? 'last_value' : undefined;
      const some = Object.keys(filter).length > 0 ? filter : undefined;
      return JSON.stringify({ type: 'subscribe', n, group, from: fromToFields(from), filter: some, view });
    }
    default: {
      const { kind, ...fields } = control;
      return JSON.stringify({ type: kind, ...fields });
    }
  }
}

function decode(fields: Fields, limits: Limits): ClientControl | Bad {
  switch (fields.type) {
    case 'hello': {
      only(fields, 'name', 'membership', 'messages', 'token', 'window_bytes');
      if (has(fields, 'name') && !(typeof fields.name === 'string' && isPrivateName(fields.name))) {
        return bad('BAD_NAME', 'a name has 1 to 10 characters of 0x24 to 0x7e');
      }
      return {
        kind: 'hello',
        name: fields.name as string | undefined,
        membership: flag(fields, 'membership', true),
        messages: oneOf(fields, 'messages', ['binary', 'json'], 'binary'),
        token: token(fields),
        windowBytes: has(fields, 'window_bytes') ? integer(fields, 'window_bytes', 0) : 0,
      };
    }
    case 'resume':
      only(fields, 'session', 'key', 'received', 'token');
      return {
        kind: 'resume',
        session: named(fields.session, 'session', (name) => parsePrivateGroup(name) !== undefined),
        key: text(fields, 'key', TOKEN_CHARACTERS),
        received: integer(fields, 'received', 0),
        token: token(fields),
      };
    case 'join':
    case 'leave':
    case 'unsubscribe': {
      only(fields, 'n', 'group');
      const n = integer(fields, 'n', 1);
      const { group } = fields;
      if (typeof group !== 'string' || !isGroupName(group)) {
        return bad('BAD_GROUP', 'a group has 1 to 31 characters of 0x24 to 0x7e', n);
      }
      return { kind: fields.type, n, group };
    }
    case 'subscribe':
      return decodeSubscribe(fields);
    case 'send':
      return decodeSend(fields, limits);
    case 'ack':
      only(fields, 'received');
      return { kind: 'ack', received: integer(fields, 'received', 0) };
    case 'members':
      only(fields, 'id', 'group');
      return {
        kind: 'members',
        id: integer(fields, 'id', 0),
        group: named(fields.group, 'group', isGroupName),
      };
    case 'groups':
    case 'ping':
      only(fields, 'id');
      return { kind: fields.type, id: integer(fields, 'id', 0) };
    case 'bye':
      only(fields);
      return { kind: 'bye' };
    default:
      throw new Wrong(
        '"type" is one of hello, resume, join, leave, subscribe, unsubscribe, send, ack, groups, members, ping, bye',
      );
  }
}

function decodeSubscribe(fields: Fields): ClientControl | Bad {
  only(fields, 'n', 'group', 'from', 'filter', 'view');
  const n = integer(fields, 'n', 1);
  const { group } = fields;
  const from = fromOf(fields);
  const lastValue = oneOf(fields, 'view', ['events', 'last_value'], 'events') === 'last_value';
  if (lastValue && from !== 'now' && !(typeof from === 'object' && 'cursor' in from)) {
    throw new Wrong('a view begins now, or behind a cursor: it has no other "from"');
  }
  const filter = filterOf(fields);
  if (typeof group !== 'string' || !isGroupName(group)) {
    return bad('BAD_GROUP', 'a group has 1 to 31 characters of 0x24 to 0x7e', n);
  }
  return { kind: 'subscribe', n, group, from, filter, lastValue };
}

function decodeSend(fields: Fields, limits: Limits): ClientControl | Bad {
  only(
    fields,
    'n',
    'groups',
    'service',
    'message_type',
    'key',
    'self_discard',
    'publisher',
    'sequence',
    'text',
    'base64',
  );
  const n = integer(fields, 'n', 1);
  const service = oneOf(fields, 'service', SERVICES, 'agreed');
  const messageType = has(fields, 'message_type') ? integer(fields, 'message_type', 0, 0xffff) : 0;
  const key = has(fields, 'key') ? text(fields, 'key', KEY_BYTES) : '';
  if (utf8Length(key) > KEY_BYTES) throw new Wrong(`"key" has at most ${KEY_BYTES} bytes of UTF-8`);
  const selfDiscard = flag(fields, 'self_discard', false);
  const origin = originOf(fields);
  const data = fromFields(fields);
  const groups = list(fields, 'groups', NUMBER_MAX);
  if (groups.length === 0 || groups.length > limits.groups) {
    return bad('TOO_MANY_GROUPS', `a message goes to 1 to ${limits.groups} groups`, n);
  }
  if (!groups.every((group) => typeof group === 'string' && isDestination(group))) {
    return bad('BAD_GROUP', 'a message goes to groups, and to sessions as #name#daemon', n);
  }
  if (data.length > limits.messageBytes) {
    return bad('MESSAGE_TOO_LARGE', `a message has at most ${limits.messageBytes} bytes`, n);
  }
  const message = { service, messageType, key, selfDiscard, ...(origin && { origin }), data };
  return { kind: 'send', n, groups: groups as string[], ...message };
}

function originOf(fields: Fields): Origin | undefined {
  if (!has(fields, 'publisher') && !has(fields, 'sequence')) return undefined;
  const origin = { publisher: text(fields, 'publisher', 32), sequence: integer(fields, 'sequence', 1) };
  if (!isOrigin(origin))
    throw new Wrong('"publisher" is 32 hex digits, "sequence" counts its messages from 1');
  return origin;
}

function token(fields: Fields): string | undefined {
  return has(fields, 'token') ? text(fields, 'token', TOKEN_CHARACTERS) : undefined;
}
