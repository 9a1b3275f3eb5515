import type { Socket } from 'node:net';
import type { Wire } from 'webtorrent';
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

/**
 * @param onUnreadable a piece that was promised is not on the disk as it should be
 */
export function serveUploads(
  wire: Wire,
  socket: Socket,
  options: {
    readonly cache: PieceCache;
    readonly pieceBytes: (piece: number) => number | undefined;
    readonly onUnreadable: (piece: number) => void;
  },
): Uploads {
  const queue: Asked[] = [];
  let closed = false;
  let working = false;
  let sentBytes = 0;
  let resume: (() => void) | undefined;

  const onDrain = (): void => resume?.();
  socket.on('drain', onDrain);

  const drained = (): Promise<void> =>
    new Promise((resolve) => {
      resume = resolve;
    });

  const answer = async ({ piece, offset, length, respond }: Asked): Promise<void> => {
    const bytes = await options.cache.get(piece);
    if (closed) return;
    if (bytes === undefined) {
      options.onUnreadable(piece);
      respond(new Error('not readable'));
      return;
    }
    sentBytes += length;
    respond(null, bytes.subarray(offset, offset + length));
  };

  const work = async (): Promise<void> => {
    if (working) return;
    working = true;
    for (let asked = queue.shift(); asked !== undefined && !closed; asked = queue.shift()) {
      await answer(asked);
      while (socket.writableLength > SWARM_LIMITS.socketBytes && !closed) await drained();
    }
    working = false;
  };

  wire.on('request', (piece: number, offset: number, length: number, respond: Respond) => {
    const size = options.pieceBytes(piece);
    if (length > SWARM_LIMITS.blockBytes || wire.peerRequests.length > SWARM_LIMITS.requestsPerPeer)
      wire.destroy();
    else if (size === undefined || length <= 0 || offset < 0 || offset + length > size)
      respond(new Error('not here'));
    else {
      queue.push({ piece, offset, length, respond });
      void work();
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
      socket.off('drain', onDrain);
      resume?.();
    },
  };
}
