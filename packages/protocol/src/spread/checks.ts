/** What the writers of frames check: names and numbers that no peer takes. How many and how much is the caller's to know. */
import { EncodeError } from './errors.ts';
import { isDestination, isGroupName, isPrivateGroup } from './names.ts';

export function checkMessageType(messageType: number): void {
  if (!Number.isInteger(messageType) || messageType < 0 || messageType > 0xffff) {
    throw new EncodeError('invalid_message_type', 'a message type is 0 to 65535');
  }
}

export function checkDestinations(groups: readonly string[]): void {
  if (groups.length === 0) throw new EncodeError('invalid_groups', 'a message goes to at least one group');
  for (const group of groups) {
    if (!isDestination(group)) {
      throw new EncodeError('invalid_group', `${JSON.stringify(group)} is no group`);
    }
  }
}

export function checkGroup(group: string): void {
  if (!isGroupName(group)) throw new EncodeError('invalid_group', `${JSON.stringify(group)} is no group`);
}

export function checkMember(member: string): void {
  if (!isPrivateGroup(member)) {
    throw new EncodeError('invalid_name', `${JSON.stringify(member)} is no private group`);
  }
}
