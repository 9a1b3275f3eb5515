/**
 * The client for Node: the same, over the npm package `ws`. Node's own WebSocket copies each message twice more and
 * masks it byte by byte, which was most of what a client took of the processor.
 */
import { FRAME_OVERHEAD_BYTES } from '@rookery/protocol/websocket';
import WebSocket from 'ws';
import { type Bus, connect as connectOver } from './bus.ts';
import type { ConnectOptions } from './options.ts';

export * from './index.ts';

/** The most that `message_bytes` of a daemon can be. */
const MESSAGE_BYTES_MAX = 1024 ** 3;
/** A connection that was dropped is often dead: its end needs not be waited for. */
const CLOSE_MS = 2000;

const OPTIONS = { maxPayload: MESSAGE_BYTES_MAX + FRAME_OVERHEAD_BYTES, closeTimeout: CLOSE_MS };

class NodeWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, OPTIONS);
  }
}

/** {@link connectOver} */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): Promise<Bus> {
  return connectOver(urls, { WebSocket: NodeWebSocket, ...options });
}
