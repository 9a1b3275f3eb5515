/** Whatever the WebSocket protocol can say. */
import fc from 'fast-check';
import {
  CLOSE_CODES,
  type ClientControl,
  type DaemonControl,
  type EndCode,
  type MessageRecord,
  REFUSAL_CODES,
  SERVICES,
} from '../src/websocket/index.ts';

const character = fc.integer({ min: 0x24, max: 0x7e }).map((code) => String.fromCharCode(code));
const name = (most: number): fc.Arbitrary<string> =>
  fc.array(character, { minLength: 1, maxLength: most }).map((characters) => characters.join(''));
const group = name(31);
const session = fc.tuple(name(10), name(19)).map(([own, daemon]) => `#${own}#${daemon}`);
const destination = fc.oneof(group, session);
const number = fc.maxSafeNat().map((value) => Math.max(1, value));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 50 }),
  fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
);
const key = fc
  .string({ unit: 'binary', maxLength: 255 })
  .filter((text) => new TextEncoder().encode(text).length <= 255);
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const text = fc.string({ unit: 'binary' });
const viewId = fc.tuple(fc.nat(), fc.nat(), fc.nat()).map((parts) => parts.join('.'));
const service = fc.constantFrom(...SERVICES);
const messageType = fc.nat(0xffff);
const groups = fc.array(destination, { minLength: 1, maxLength: 100 });

export const record: fc.Arbitrary<MessageRecord> = fc.record({
  sender: session,
  groups,
  service,
  messageType,
  key,
  selfDiscard: fc.boolean(),
  bigEndian: fc.boolean(),
  data: bytes,
});

export const clientControl: fc.Arbitrary<ClientControl> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    name: optional(name(10)),
    membership: fc.boolean(),
    messages: fc.constantFrom('binary' as const, 'json' as const),
    token: optional(text),
    windowBytes: fc.maxSafeNat(),
  }),
  fc.record({
    kind: fc.constant('resume' as const),
    session,
    key: text,
    received: fc.maxSafeNat(),
    token: optional(text),
  }),
  fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), n: number, group }),
  fc.record({
    kind: fc.constant('send' as const),
    n: number,
    groups,
    service,
    messageType,
    key,
    selfDiscard: fc.boolean(),
    data: bytes,
  }),
  fc.record({ kind: fc.constant('ack' as const), received: fc.maxSafeNat() }),
  fc.record({ kind: fc.constantFrom('groups' as const, 'ping' as const), id: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('members' as const), id: fc.maxSafeNat(), group }),
  fc.constant({ kind: 'bye' as const }),
);

export const daemonControl: fc.Arbitrary<DaemonControl> = fc.oneof(
  fc.record({
    kind: fc.constant('welcome' as const),
    session,
    daemon: name(19),
    version: text,
    key: text,
    resumeMs: fc.maxSafeNat(),
    messageBytes: fc.maxSafeNat(),
    groups: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ kind: fc.constant('resumed' as const), taken: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('gone' as const), reason: text }),
  fc.record({ kind: fc.constant('confirmed' as const), n: number }),
  fc.record({
    kind: fc.constant('groups' as const),
    id: fc.maxSafeNat(),
    groups: fc.array(fc.record({ name: group, members: fc.nat() })),
  }),
  fc.record({
    kind: fc.constant('members' as const),
    id: fc.maxSafeNat(),
    group,
    members: fc.array(session),
  }),
  fc.record({ kind: fc.constant('pong' as const), id: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('view' as const),
    d: number,
    group,
    id: viewId,
    cause: fc.constantFrom('join' as const, 'leave' as const, 'disconnect' as const, 'network' as const),
    members: fc.array(session),
    changed: optional(session),
    sets: fc.array(fc.array(session)),
  }),
  fc.record({ kind: fc.constant('transition' as const), d: number, group, id: viewId }),
  fc.record({ kind: fc.constant('left' as const), d: number, group }),
  fc.record({ kind: fc.constant('dropped' as const), d: number, group: destination, count: number }),
  fc.record({
    kind: fc.constant('refused' as const),
    d: number,
    n: number,
    code: fc.constantFrom(...REFUSAL_CODES),
    message: text,
  }),
  fc.record({
    kind: fc.constant('message' as const),
    d: number,
    sender: session,
    groups,
    service,
    messageType,
    key,
    data: bytes,
  }),
  fc.record({
    kind: fc.constant('error' as const),
    code: fc.constantFrom(...(Object.keys(CLOSE_CODES) as EndCode[])),
    message: text,
  }),
);
