/** Simulated clock, disk and network, random numbers with a seed, real processes and hosts. For tests only. */
export { type Browser, browserAvailable, complaintsOf, launchBrowser, type Page } from './browser.ts';
export { type ProgramClock, type ProgramLife, SimulatedClock } from './clock.ts';
export { SimulatedDisk } from './disk.ts';
export type { FailedSync } from './disk-content.ts';
export type { SimulatedFile } from './disk-file.ts';
export {
  type CrashKind,
  type DiskFault,
  type DiskOperation,
  SimulatedDiskError,
  type SimulatedDiskOptions,
} from './disk-types.ts';
export { hostsAvailable } from './hosts/available.ts';
export type { Host, HostLoss } from './hosts/host.ts';
export { createHosts, type Hosts, type HostsOptions } from './hosts/hosts.ts';
export { type NetworkConditions, SimulatedNetwork } from './network.ts';
export { installPacked, type PackedApp } from './packed.ts';
export { freePort, freeUdpPort } from './ports.ts';
export {
  killAtRandomMoment,
  type RunningProcess,
  type StartOptions,
  startProcess,
} from './process.ts';
export { Random } from './random.ts';
export { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
export { type WaitOptions, waitFor } from './wait.ts';
