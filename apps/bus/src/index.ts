/**
 * The event bus as a library: a daemon inside a program, and the ring that orders everything, on its own. Clients
 * are in `@rookery/bus/client`.
 *
 * @module
 */

export { createRing, type Ring, type RingOptions, type RingStatus } from './ring/ring.ts';
export { DEFAULT_SETTINGS, type RingSettings } from './ring/settings.ts';
export type { Configuration, RingOutput, Service } from './ring/types.ts';
export { BusDaemon, type BusDaemonOptions, version } from './server.ts';
export type { GroupSettings } from './session/group-settings.ts';
export type { DaemonSettings } from './settings.ts';
