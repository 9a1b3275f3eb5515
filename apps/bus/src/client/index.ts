/**
 * A client of the bus for Node and for browsers, over WebSocket. How to use it: docs/bus-client.md.
 *
 * @example
 * const bus = await connect('ws://127.0.0.1:4804', { name: 'alice' });
 * const group = await bus.join('news');
 * await bus.multicast('news', 'hello');
 * for await (const event of group) if (event.kind === 'message') console.log(event.sender, event.text);
 */
export type { FieldValue, Filter, From, Origin, Service } from '@rookery/protocol/websocket';
export { type Bus, connect } from './bus.ts';
export type { Clock } from './clock.ts';
export { BusError, type BusErrorCode } from './errors.ts';
export type {
  CaughtUp,
  Dropped,
  GroupEvent,
  KeptMessage,
  Lost,
  Message,
  Missed,
  SessionEvent,
  Transition,
  View,
} from './events.ts';
export type { FlushEvent, RoomView } from './flush/core.ts';
export { joinFlush, type Room, type RoomEvent } from './flush/room.ts';
export type { Group } from './group.ts';
export type { SendOptions } from './message.ts';
export { type ClientSettings, type ConnectOptions, DEFAULT_SETTINGS, type StateChange } from './options.ts';
export type { WebSocketConstructor, WebSocketLike } from './socket.ts';
export type { SubscribeOptions, Subscription, SubscriptionEvent } from './subscription.ts';
