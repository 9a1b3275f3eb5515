import type { Socket } from 'node:net';
import type { Wire } from 'webtorrent';
import type { Buffers } from '../../tree/buffers.ts';
import { SWARM_LIMITS } from '../limits.ts';
import type { PieceCache } from './piece-cache.ts';

/** Answers one peer's requests, in their order, as fast as its socket takes them. */
export interface Uploads {
  readonly sentBytes: number;
  close(): void;
}

type Respond = (error: Error | null, bytes?: Uint8Array) => void;

interface Asked {
  readonly piece: number;
  readonly offset: number;
  readonly length: number;
  readonly respond: Respond;
}

const NOTHING = Buffer.alloc(0);

/**
 * @param options.blocks what is sent is copied to these, so that a slow socket holds its own blocks and no pieces
 * @param options.onUnreadable a piece that was promised is not on the disk as it should be
 */
export function serveUploads(
  wire: Wire,
  socket: Socket,
  options: {
    readonly cache: PieceCache;
    readonly blocks: Buffers;
    readonly pieceBytes: (piece: number) => number | undefined;
    readonly onSent: (bytes: number) => void;
    readonly onUnreadable: (piece: number) => void;
  },
): Uploads {
  const { cache, blocks } = options;
  const queue: Asked[] = [];
  let closed = false;
  /** Waiting for the disk. */
  let reading = false;
  let sentBytes = 0;

  const answer = ({ piece, offset, length, respond }: Asked, bytes: Buffer | undefined): void => {
    if (bytes === undefined) {
      options.onUnreadable(piece);
      respond(new Error('not readable'));
      return;
    }
    const block = blocks.take(length);
    bytes.copy(block, 0, offset, offset + length);
    sentBytes += length;
    options.onSent(length);
    respond(null, block);
    // Called when all that was written before has left this process, or never will.
    socket.write(NOTHING, () => {
      blocks.give(block);
      work();
    });
  };

  const work = (): void => {
    while (!closed && !reading && socket.writableLength <= SWARM_LIMITS.socketBytes) {
      const asked = queue.shift();
      if (asked === undefined) return;
      reading = true;
      let late = false;
      cache.with(asked.piece, (bytes) => {
        reading = false;
        if (closed) return;
        answer(asked, bytes);
        if (late) work();
      });
      late = true;
    }
  };

  wire.on('request', (piece: number, offset: number, length: number, respond: Respond) => {
    const size = options.pieceBytes(piece);
    if (length > SWARM_LIMITS.blockBytes || wire.peerRequests.length > SWARM_LIMITS.requestsPerPeer)
      wire.destroy();
    else if (size === undefined || length <= 0 || offset < 0 || offset + length > size)
      respond(new Error('not here'));
    else {
      queue.push({ piece, offset, length, respond });
      work();
    }
  });
  // What is on its way to the socket can't be taken back; the rest is not sent.
  wire.on('cancel', (piece: number, offset: number, length: number) => {
    const at = queue.findIndex(
      (one) => one.piece === piece && one.offset === offset && one.length === length,
    );
    if (at !== -1) queue.splice(at, 1);
  });

  return {
    get sentBytes() {
      return sentBytes;
    },
    close() {
      closed = true;
      queue.length = 0;
    },
  };
}
