/** A daemon's frames, on the client's side. */
import type { ByteSource } from '../../bytes/source.ts';
import type { BadReplyReason } from '../errors.ts';
import type { DaemonFrame, Reject } from '../frames.ts';
import { HEADER_BYTES, Header } from '../header.ts';
import type { Limits } from '../limits.ts';
import {
  bodyBytesMax,
  GROUP_ID_BYTES,
  readGroupId,
  readMembershipBody,
  readOneSetBody,
} from '../membership.ts';
import { NAME_FIELD_BYTES, readNames } from '../names.ts';
import { readInt32 } from '../order.ts';
import { type Cause, causeOf, ENDIAN_BITS, type Service, serviceOf, TypeBit } from '../types.ts';

const At = { header: 0, body: 1 } as const;
type Shape = 'message' | 'membership' | 'transition' | 'self_leave' | 'reject';
/** A rejected frame's type, before its groups. */
const OLD_TYPE_BYTES = 4;
const MEMBERSHIP_BITS = TypeBit.regularMembership | 0xf00;

export class ReplyFrameDecoder {
  readonly #source: ByteSource;
  readonly #limits: Limits;
  readonly #readBody: typeof readMembershipBody;
  readonly #header: Header = new Header();
  #state: number = At.header;
  #shape: Shape = 'message';

  /** `sets`: memberships have all sets, and not only the receiver's. */
  constructor(source: ByteSource, limits: Limits, sets: boolean) {
    this.#source = source;
    this.#limits = limits;
    this.#readBody = sets ? readMembershipBody : readOneSetBody;
  }

  /** A reason is the end: where the next frame begins can't be trusted. */
  next(): DaemonFrame | BadReplyReason | undefined {
    const source = this.#source;
    const header = this.#header;
    if (this.#state === At.header) {
      if (!source.run(HEADER_BYTES)) return undefined;
      if (!header.read(source.found, source.start)) return 'bad_order';
      const shape = shapeOf(header.type);
      if (shape === undefined) return 'bad_type';
      this.#shape = shape;
      const reason = this.#check(shape);
      if (reason !== undefined) return reason;
      this.#state = At.body;
    }
    const before = this.#shape === 'reject' ? OLD_TYPE_BYTES : 0;
    if (!source.run(before + header.groups * NAME_FIELD_BYTES + header.data)) return undefined;
    this.#state = At.header;
    return this.#frame(source.found, source.start, source.stop);
  }

  #check(shape: Shape): BadReplyReason | undefined {
    const { groups, data } = this.#header;
    const limits = this.#limits;
    if (data < 0) return 'bad_data_length';
    if (groups < 0) return 'bad_group_count';
    switch (shape) {
      case 'message':
      case 'reject':
        if (this.#header.messageOrder === undefined) return 'bad_hint';
        if (groups > limits.groups) return 'bad_group_count';
        return data > limits.data ? 'data_too_large' : undefined;
      case 'membership':
        if (groups > limits.members) return 'bad_group_count';
        return data > bodyBytesMax(limits.members) ? 'data_too_large' : undefined;
      case 'transition':
        return groups === 0 && data === GROUP_ID_BYTES ? undefined : 'bad_membership';
      case 'self_leave':
        return groups === 0 && data === 0 ? undefined : 'bad_membership';
    }
  }

  #frame(buffer: Buffer, from: number, end: number): DaemonFrame | BadReplyReason {
    const { type, name, groups: count, order, messageType, messageOrder = 'little' } = this.#header;
    switch (this.#shape) {
      case 'message': {
        const start = from + count * NAME_FIELD_BYTES;
        const groups = readNames(buffer, from, count);
        const service = serviceOf(type) as Service;
        const selfDiscard = (type & TypeBit.selfDiscard) !== 0;
        return {
          kind: 'message',
          service,
          selfDiscard,
          sender: name,
          groups,
          messageType,
          messageOrder,
          buffer,
          start,
          end,
        };
      }
      case 'reject':
        return this.#reject(buffer, from, end) ?? 'bad_type';
      case 'membership': {
        const body = this.#readBody(buffer, from + count * NAME_FIELD_BYTES, end, order);
        if (body === undefined) return 'bad_membership';
        const members = readNames(buffer, from, count);
        return { kind: 'membership', cause: causeOf(type) as Cause, group: name, members, ...body };
      }
      case 'transition':
        return { kind: 'transition', group: name, id: readGroupId(buffer, from, order) };
      case 'self_leave':
        return { kind: 'self_leave', group: name };
    }
  }

  #reject(buffer: Buffer, from: number, end: number): Reject | undefined {
    const { name, groups: count, order, messageType, messageOrder = 'little' } = this.#header;
    const type = readInt32(buffer, from, order) & ~ENDIAN_BITS;
    const rejected = rejectedKind(type);
    if (rejected === undefined) return undefined;
    const at = from + OLD_TYPE_BYTES;
    const groups = readNames(buffer, at, count);
    const start = at + count * NAME_FIELD_BYTES;
    return {
      kind: 'reject',
      rejected,
      type,
      sender: name,
      groups,
      messageType,
      messageOrder,
      buffer,
      start,
      end,
    };
  }
}

/** What a type is, if it's one that daemons send. */
function shapeOf(type: number): Shape | undefined {
  const bare = type & ~TypeBit.selfDiscard;
  if (bare === TypeBit.reject) return 'reject';
  if (bare <= 0x3f) return serviceOf(type) === undefined ? undefined : 'message';
  if (type === TypeBit.transition) return 'transition';
  if (type === TypeBit.causedByLeave) return 'self_leave';
  const membership = (type & TypeBit.regularMembership) !== 0 && (type & ~MEMBERSHIP_BITS) === 0;
  return membership && causeOf(type) !== undefined ? 'membership' : undefined;
}

function rejectedKind(type: number): Reject['rejected'] | undefined {
  const bare = type & ~TypeBit.selfDiscard;
  if (bare === TypeBit.causedByJoin) return 'join';
  if (bare === TypeBit.causedByLeave) return 'leave';
  return shapeOf(bare) === 'message' ? 'multicast' : undefined;
}
