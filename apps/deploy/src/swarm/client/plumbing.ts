import type { Socket } from 'node:net';
import type { Wire } from 'webtorrent';
import Peer from 'webtorrent/lib/peer.js';
import { SWARM_LIMITS } from '../limits.ts';
import { readThrough } from './read-through.ts';

/**
 * The one place where webtorrent's own code is replaced: how a socket and a wire are joined.
 *
 * webtorrent sends every byte through seven streams (two for speed limits, two that count) without ever waiting for
 * a slow reader, writes each message by itself, copies all that is buffered at each read, and takes messages of any
 * length. Here a socket is joined to its wire directly, messages of one turn leave together, all sockets are read
 * through one buffer, and a message that can't be rightful ends the connection.
 */

const sockets = new WeakMap<Wire, Socket>();

/** The socket that carries a wire, which tells how much of what was sent is still here. */
export function socketOf(wire: Wire): Socket | undefined {
  return sockets.get(wire);
}

Peer.prototype.setThrottlePipes = function setThrottlePipes(this: Peer): void {
  const { conn: socket, wire } = this;
  sockets.set(wire, socket);
  socket.setNoDelay(true);
  sendThrough(socket, wire);
  readThrough(socket, receiver(wire));
};

/** What a wire sends goes to its socket at once; only its end passes through the wire's own stream. */
function sendThrough(socket: Socket, wire: Wire): void {
  const pushToStream = wire.push;
  let corked = false;
  const flush = (): void => {
    corked = false;
    socket.uncork();
  };
  wire.push = (bytes) => {
    if (bytes === null) return pushToStream.call(wire, null);
    if (socket.destroyed) return false;
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(flush);
    }
    return socket.write(bytes);
  };
  wire.resume();
}

/** Messages of which the wire keeps nothing once it has taken them: have, request, piece, cancel, reject. */
const TAKEN_AT_ONCE: ReadonlySet<number> = new Set([4, 6, 7, 8, 16]);
const NOTHING = Buffer.alloc(0);

/**
 * Cuts what arrives into what the wire's parser waits for. What is given to it lies in a buffer that is overwritten
 * by the next read.
 */
function receiver(wire: Wire): (arrived: Buffer) => void {
  const readLength = wire._onMessageLength;
  // The beginning of what the parser waits for, and has not come whole.
  let carry = NOTHING;
  let carried = 0;

  const keep = (rest: Buffer, needed: number): void => {
    if (carry.length < needed) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 1024));
      carry.copy(larger, 0, 0, carried);
      carry = larger;
    }
    carried += rest.copy(carry, carried);
  };

  return (arrived) => {
    for (let at = 0; !wire.destroyed; ) {
      const needed = wire._parserSize;
      // Its parser waits for ever once it has ended.
      if (needed > SWARM_LIMITS.messageBytes) return;
      if (carried + arrived.length - at < needed) {
        keep(arrived.subarray(at), needed);
        return;
      }
      const end = at + needed - carried;
      let bytes = arrived.subarray(at, end);
      at = end;
      if (carried > 0) {
        keep(bytes, needed);
        bytes = carry.subarray(0, needed);
        carried = 0;
      }
      if (wire._parser === readLength) {
        if (bytes.readUInt32BE(0) > SWARM_LIMITS.messageBytes) {
          wire.destroy();
          return;
        }
      } else if (wire._parser !== wire._onMessage || !TAKEN_AT_ONCE.has(bytes[0]!)) {
        bytes = Buffer.from(bytes);
      }
      wire._parser(bytes);
    }
  };
}
