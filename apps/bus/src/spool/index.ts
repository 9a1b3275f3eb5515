/**
 * A publisher that keeps messages on disk until a daemon has ordered them. For Node. How to use it: docs/bus-client.md.
 *
 * @example
 * const publisher = await openPublisher({ urls: 'ws://127.0.0.1:4804', folder: './spool' });
 * await publisher.publish('orders', 'two coffees'); // it is kept, whether there is a daemon or not
 * await publisher.sent();
 * await publisher.close();
 */
export type { SendOptions } from '../client/message.ts';
export { SpoolError, type SpoolErrorCode } from './errors.ts';
export type { Position } from './message.ts';
export {
  openPublisher,
  PUBLISHER_DEFAULTS,
  type Publisher,
  type PublisherEvent,
  type PublisherOptions,
} from './publisher.ts';
