/**
 * The queue server as a library.
 *
 * @module
 */

export type { QueueSettings } from './queue/settings.ts';
export { QueueServer, type QueueServerOptions, version } from './server.ts';
export type { ServerSettings } from './settings.ts';
