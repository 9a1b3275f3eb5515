/** What clients of which version say, and want to hear. A client before 3.15 counts as patch 0. */

/** Major and minor, as one number. */
export const OLDEST = 0x0301;
/** From here on clients send the patch, and get it. */
export const SENDS_PATCH = 0x030f;
/** From here on clients are given methods to choose from. */
export const CHOOSES_METHOD = 0x0310;
/** Clients refuse older daemons. */
export const OLDEST_DAEMON_MAJOR = 3;

/** Whether `major.minor` is `version` or newer. The bytes are signed for Spread: 128 and above is older than all. */
export function atLeast(major: number, minor: number, version: number): boolean {
  return major < 0x80 && ((major << 8) | minor) >= version;
}
