/**
 * What a daemon sends. The same bytes go to every receiver that has the same set of its own: write once,
 * `take`, and give the buffers to all.
 *
 * `order` is the daemon's own, whatever the machine's: the receiver turns the numbers. The message type keeps
 * the order of the client that sent it.
 */
import type { Output } from '../../bytes/output.ts';
import { checkDestinations, checkGroup, checkMember, checkMessageType } from '../checks.ts';
import { EncodeError } from '../errors.ts';
import type { Data, GroupId, Membership, Message, MessageType } from '../frames.ts';
import { writeHeader } from '../header.ts';
import { GROUP_NAME_BYTES } from '../limits.ts';
import {
  GROUP_ID_BYTES,
  membershipBodyBytes,
  oneSetBodyBytes,
  writeGroupId,
  writeMembershipBody,
  writeOneSetBody,
} from '../membership.ts';
import { NAME_FIELD_BYTES } from '../names.ts';
import { type ByteOrder, writeInt32 } from '../order.ts';
import { CAUSE_BITS, ENDIAN_BITS, SERVICE_BITS, serviceOf, TypeBit } from '../types.ts';

/** Groups in a message, and in a reject message with the sender: Spread's clients keep arrays of this size. */
const REJECT_GROUPS = 100;

/** A message to one of its receivers. The sender's private group and the groups are as they were sent. */
export function writeMessage(out: Output, message: Omit<Message, 'kind'>, order: ByteOrder = 'little'): void {
  const { service, selfDiscard, sender, groups, messageType, messageOrder, buffer, start, end } = message;
  checkMember(sender);
  checkDestinations(groups);
  checkMessageType(messageType);
  const type = SERVICE_BITS[service] | (selfDiscard ? TypeBit.selfDiscard : 0);
  writeHeader(out, order, type, sender, groups.length, messageType, messageOrder, end - start);
  for (const group of groups) out.padded(group, NAME_FIELD_BYTES);
  out.body(buffer, start, end);
}

/** A new membership of a group, to one of its members, or to many with the same set of their own. */
export function writeMembership(
  out: Output,
  membership: Omit<Membership, 'kind'>,
  order: ByteOrder = 'little',
): void {
  const { id, sets, mine } = membership;
  checkMembership(membership);
  writeMembers(out, membership, membershipBodyBytes(sets), order);
  writeMembershipBody(out, id, sets, mine, order);
}

/** The same to a client before 4.0, which is told its own set only; see `readsSets`. */
export function writeMembershipOfOneSet(
  out: Output,
  membership: Omit<Membership, 'kind'>,
  order: ByteOrder = 'little',
): void {
  const set = checkMembership(membership);
  writeMembers(out, membership, oneSetBodyBytes(set), order);
  writeOneSetBody(out, membership.id, set, order);
}

/** Returns the receiver's own set. */
function checkMembership({ group, members, sets, mine }: Omit<Membership, 'kind'>): readonly string[] {
  checkGroup(group);
  members.forEach(checkMember);
  for (const set of sets) set.forEach(checkMember);
  const own = sets[mine];
  if (own === undefined) {
    throw new EncodeError('invalid_sets', `set ${mine} is not one of the ${sets.length} sets`);
  }
  return own;
}

function writeMembers(
  out: Output,
  { cause, group, members }: Omit<Membership, 'kind'>,
  body: number,
  order: ByteOrder,
): void {
  const type = TypeBit.regularMembership | CAUSE_BITS[cause];
  writeHeader(out, order, type, group, members.length, 0, order, body);
  for (const member of members) out.padded(member, NAME_FIELD_BYTES);
}

/** The end of a membership that loses members, before the messages that they may not get. */
export function writeTransition(out: Output, group: string, id: GroupId, order: ByteOrder = 'little'): void {
  checkGroup(group);
  writeHeader(out, order, TypeBit.transition, group, 0, 0, order, GROUP_ID_BYTES);
  writeGroupId(out, id, order);
}

/** Tells a session that it has left the group. */
export function writeSelfLeave(out: Output, group: string, order: ByteOrder = 'little'): void {
  checkGroup(group);
  writeHeader(out, order, TypeBit.causedByLeave, group, 0, 0, order, 0);
}

/** What `writeReject` returns to its sender: a `Bad` that doesn't end the session has all but `sender`. */
export interface Rejected extends MessageType, Data {
  /** A service and self-discard, or `TypeBit.causedByJoin`, or `TypeBit.causedByLeave`. */
  readonly type: number;
  readonly sender: string;
  /** As sent; they may be no legal groups. */
  readonly groups: readonly string[];
}

/**
 * Gives a frame back to its sender, who is appended to the groups, in the place of the last if there are a
 * hundred. Its type stands between the header and the groups, and isn't counted in the length.
 */
export function writeReject(out: Output, rejected: Rejected, order: ByteOrder = 'little'): void {
  const { type, sender, groups, messageType, messageOrder, buffer, start, end } = rejected;
  checkMember(sender);
  checkMessageType(messageType);
  if (!isRejectable(type)) throw new EncodeError('invalid_type', `no client asks for type ${type}`);
  const kept = groups.length < REJECT_GROUPS ? groups : groups.slice(0, REJECT_GROUPS - 1);
  const head = TypeBit.reject | (type & TypeBit.selfDiscard);
  writeHeader(out, order, head, sender, kept.length + 1, messageType, messageOrder, end - start);
  writeInt32(out, order === 'little' ? type | ENDIAN_BITS : type, order);
  for (const group of kept) out.padded(group.slice(0, GROUP_NAME_BYTES), NAME_FIELD_BYTES);
  out.padded(sender, NAME_FIELD_BYTES);
  out.body(buffer, start, end);
}

function isRejectable(type: number): boolean {
  const bare = type & ~TypeBit.selfDiscard;
  return (
    bare === TypeBit.causedByJoin ||
    bare === TypeBit.causedByLeave ||
    (bare <= TypeBit.safe && serviceOf(bare) !== undefined)
  );
}
