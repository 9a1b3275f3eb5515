/** What clients of which version say, and want to hear. A client before 3.15 counts as patch 0. */
import type { Version } from './frames.ts';

/** Major and minor, as one number. */
export const OLDEST = 0x0301;
/** From here on clients send the patch, and get it. */
export const SENDS_PATCH = 0x030f;
/** From here on clients are given methods to choose from. */
export const CHOOSES_METHOD = 0x0310;
/** From here on clients read the sets of a membership; before, only their own. */
const READS_SETS = 0x0400;
/** From here on every client's library knows a reject message. Of those that call themselves 4, Perl's and Python's don't. */
const READS_REJECTS = 0x0500;
/** Clients refuse older daemons. */
export const OLDEST_DAEMON_MAJOR = 3;

/** Whether `major.minor` is `version` or newer. The bytes are signed for Spread: 128 and above is older than all. */
export function atLeast(major: number, minor: number, version: number): boolean {
  return major < 0x80 && ((major << 8) | minor) >= version;
}

/** Whether this client reads what `writeMembership` writes. An older one wants `writeMembershipOfOneSet`. */
export function readsSets({ major, minor }: Version): boolean {
  return atLeast(major, minor, READS_SETS);
}

/** Whether `writeReject` can be sent to this client: to another it would shift the frames behind it. */
export function readsRejects({ major, minor }: Version): boolean {
  return atLeast(major, minor, READS_REJECTS);
}
