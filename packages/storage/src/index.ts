/** The log of Rookery: append-only, segmented, checksummed, with group commit. See README.md for an example. */
export { type Clock, createTurnClock, systemClock, type Timer } from './clock.ts';
export { type Disk, DiskError, type DiskFile } from './disk/disk.ts';
export { nodeDisk } from './disk/node-disk.ts';
export { LogError, type LogErrorCode } from './errors.ts';
export { openLog } from './log/open.ts';
export type {
  Entry,
  Log,
  LogEvent,
  LogOptions,
  LogStats,
  MakeEntry,
  Place,
  Stream,
  SyncMode,
} from './log/types.ts';
export { type VerifyOptions, type VerifyReport, verifyLog } from './log/verify.ts';
