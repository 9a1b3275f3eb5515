/**
 * A client of the queue for Node, over TCP and unix sockets. How to use it: docs/queue-client.md.
 *
 * @example
 * await using client = await connect('127.0.0.1:22122');
 * const jobs = client.queue('jobs', { codec: json<{ id: number }>() });
 * await jobs.put({ id: 1 });
 * for await (const message of jobs.consume({ prefetch: 16 })) {
 *   console.log(message.value.id);
 *   await message.acknowledge();
 * }
 */
export type { QueueAddress } from './address.ts';
export { connect, type QueueClient } from './client.ts';
export type { Clock } from './clock.ts';
export { bytes, type Codec, json, text } from './codec.ts';
export { QueueError, type QueueErrorCode } from './errors.ts';
export type { AbortOptions, Message, OpenMessage, TouchOptions } from './message.ts';
export {
  type CallOptions,
  type ClientSettings,
  type ConnectOptions,
  DEFAULT_SETTINGS,
  type StateChange,
  type TlsOptions,
} from './options.ts';
export type { Figures } from './questions/management.ts';
export type { PutReceipt } from './questions/puts.ts';
export type {
  BatchOptions,
  ConsumeOptions,
  PutOptions,
  Queue,
  ReadOptions,
  RedriveOptions,
} from './queue.ts';
export type { QueueStats } from './stats.ts';
