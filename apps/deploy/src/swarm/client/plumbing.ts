import type { Socket } from 'node:net';
import type { Wire } from 'webtorrent';
import Peer from 'webtorrent/lib/peer.js';
import { SWARM_LIMITS } from '../limits.ts';

/**
 * The one place where webtorrent's own code is replaced: how a socket and a wire are joined.
 *
 * webtorrent sends every byte through seven streams (two for speed limits, two that count) without ever waiting for
 * a slow reader, writes each message by itself, and takes messages of any length. Here a socket is joined to its wire
 * directly, messages of one turn leave together, and a message that can't be rightful ends the connection.
 */

const sockets = new WeakMap<Wire, Socket>();

/** The socket that carries a wire, which tells how much of what was sent is still here. */
export function socketOf(wire: Wire): Socket | undefined {
  return sockets.get(wire);
}

Peer.prototype.setThrottlePipes = function setThrottlePipes(this: Peer): void {
  const { conn: socket, wire } = this;
  sockets.set(wire, socket);
  limitMessages(wire);
  socket.setNoDelay(true);
  let corked = false;
  wire.on('data', (bytes: Uint8Array) => {
    if (socket.destroyed) return;
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(bytes);
  });
  // Parsed at once: what came is never queued a second time.
  socket.on('data', (bytes: Buffer) => wire._write(bytes, ignoreDone));
};

function limitMessages(wire: Wire): void {
  const accept = wire._onMessageLength;
  wire._onMessageLength = (buffer) => {
    const length = new DataView(buffer.buffer, buffer.byteOffset, 4).getUint32(0);
    if (length > SWARM_LIMITS.messageBytes) wire.destroy();
    else accept.call(wire, buffer);
  };
}

function ignoreDone(): void {}
