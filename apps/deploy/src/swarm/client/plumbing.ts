import type { Socket } from 'node:net';
import type { Wire } from 'webtorrent';
import Peer from 'webtorrent/lib/peer.js';
import { SWARM_LIMITS } from '../limits.ts';

/**
 * The one place where webtorrent's own code is replaced: how a socket and a wire are joined.
 *
 * webtorrent sends every byte through seven streams (two for speed limits, two that count) without ever waiting for
 * a slow reader, writes each message by itself, copies all that is buffered at each read, and takes messages of any
 * length. Here a socket is joined to its wire directly, messages of one turn leave together, each byte is copied once
 * at most, and a message that can't be rightful ends the connection.
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
  socket.on('data', receiver(wire));
};

const PIECE_MESSAGE = 7;

/** Cuts what arrives into what the wire's parser waits for. */
function receiver(wire: Wire): (arrived: Buffer) => void {
  const parts: Buffer[] = [];
  let buffered = 0;
  // Blocks are copied out of their message at once, so that one buffer does for all of them.
  let blocks: Buffer | undefined;

  const take = (length: number): Buffer => {
    const [first] = parts;
    if (first!.length >= length) {
      if (first!.length === length) parts.shift();
      else parts[0] = first!.subarray(length);
      return first!.subarray(0, length);
    }
    const isBlock = first![0] === PIECE_MESSAGE && length <= SWARM_LIMITS.messageBytes;
    if (isBlock && (blocks === undefined || blocks.length < length)) blocks = Buffer.allocUnsafeSlow(length);
    const whole = isBlock ? blocks!.subarray(0, length) : Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const part = parts[0]!;
      const copied = part.copy(whole, filled, 0, length - filled);
      filled += copied;
      if (copied === part.length) parts.shift();
      else parts[0] = part.subarray(copied);
    }
    return whole;
  };

  return (arrived) => {
    parts.push(arrived);
    buffered += arrived.length;
    while (buffered >= wire._parserSize && !wire.destroyed) {
      const length = wire._parserSize;
      buffered -= length;
      wire._parser(length === 0 ? Buffer.alloc(0) : take(length));
    }
  };
}

function limitMessages(wire: Wire): void {
  const accept = wire._onMessageLength;
  wire._onMessageLength = (buffer) => {
    const length = new DataView(buffer.buffer, buffer.byteOffset, 4).getUint32(0);
    if (length > SWARM_LIMITS.messageBytes) wire.destroy();
    else accept.call(wire, buffer);
  };
}
