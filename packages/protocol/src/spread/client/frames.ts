/** What a client sends once it's accepted. `order` is the client's own, and that of its message type. */
import type { Output } from '../../bytes/output.ts';
import { checkDestinations, checkGroup, checkMember, checkMessageType } from '../checks.ts';
import type { Data } from '../frames.ts';
import { writeHeader } from '../header.ts';
import { NAME_FIELD_BYTES } from '../names.ts';
import type { ByteOrder } from '../order.ts';
import { SERVICE_BITS, type Service, TypeBit } from '../types.ts';

/** What `writeMulticast` sends. */
export interface Sending extends Data {
  readonly service: Service;
  /** Don't send me my own copy. */
  readonly selfDiscard: boolean;
  readonly groups: readonly string[];
  /** 0 to 65535. */
  readonly messageType: number;
}

/** A message to groups, and to sessions by their private groups. `sender` is the session's own private group. */
export function writeMulticast(
  out: Output,
  sender: string,
  sending: Sending,
  order: ByteOrder = 'little',
): void {
  const { service, selfDiscard, groups, messageType, buffer, start, end } = sending;
  checkMember(sender);
  checkDestinations(groups);
  checkMessageType(messageType);
  const type = SERVICE_BITS[service] | (selfDiscard ? TypeBit.selfDiscard : 0);
  writeHeader(out, order, type, sender, groups.length, messageType, order, end - start);
  for (const group of groups) out.padded(group, NAME_FIELD_BYTES);
  out.body(buffer, start, end);
}

export function writeJoin(out: Output, sender: string, group: string, order: ByteOrder = 'little'): void {
  checkGroup(group);
  writeCommand(out, TypeBit.join, sender, group, order);
}

export function writeLeave(out: Output, sender: string, group: string, order: ByteOrder = 'little'): void {
  checkGroup(group);
  writeCommand(out, TypeBit.leave, sender, group, order);
}

/** Ends the session: its own private group is what it leaves. */
export function writeDisconnect(out: Output, sender: string, order: ByteOrder = 'little'): void {
  writeCommand(out, TypeBit.kill, sender, sender, order);
}

function writeCommand(out: Output, type: number, sender: string, group: string, order: ByteOrder): void {
  checkMember(sender);
  writeHeader(out, order, type, sender, 1, 0, order, 0);
  out.padded(group, NAME_FIELD_BYTES);
}
