import type { Socket } from 'node:net';

/** Writes to a socket at once, past the queue that Node keeps before it and what it does for each write. */
export interface DirectOutput {
  /** What the kernel has not taken yet of what was written here. */
  readonly waitingBytes: number;
  /** False: it can't be done just now, and the socket's own `write` does it. */
  readonly isOpen: boolean;
  /** Writes all of it, behind whatever was written before. An error destroys the socket. */
  write(bytes: Buffer): void;
}

/** A write that the kernel didn't take at once. */
interface WriteRequest {
  oncomplete: (status: number) => void;
  /** Holds on to what is being written. */
  buffer: Buffer;
  /** How it ended, if it did before there was an `oncomplete`. */
  readonly writeStatus: number | null;
}

/** What stands behind a socket of Node. */
interface Handle {
  /** A request is made by the call if one is needed; else it returns 0, or the number of an error. */
  writeBuffer(request: null, bytes: Buffer): number | WriteRequest;
  readonly writeQueueSize: number;
}

/** Whether this Node writes in this way, as seen from a socket's own write; undefined as long as there was none. */
let isKnown: boolean | undefined;

/**
 * For a socket of TCP or of a Unix path, not of TLS. `drained` is called when the kernel has taken what it didn't at
 * once. That isn't documented: it is what `net.Socket` does itself (Node 26), and it is done here only after a write of
 * the socket's own was seen to do so; where it isn't, as in Node 24, the socket's own `write` goes on.
 */
export function directOutput(socket: Socket, drained: () => void): DirectOutput | undefined {
  const handle = (socket as unknown as { _handle: Handle | null })._handle;
  if (isKnown === false || typeof handle?.writeBuffer !== 'function') return undefined;
  if (isKnown === undefined) learn(handle);
  return new HandleOutput(socket, handle, drained);
}

/** Looks at what the next write passes. Older Nodes pass a request, and end at a `null`. */
function learn(handle: Handle): void {
  handle.writeBuffer = (request, bytes) => {
    isKnown = request === null && typeof handle.writeQueueSize === 'number';
    // What is left is that of the prototype.
    Reflect.deleteProperty(handle, 'writeBuffer');
    return handle.writeBuffer(request, bytes);
  };
}

class HandleOutput implements DirectOutput {
  readonly #socket: Socket;
  readonly #handle: Handle;
  readonly #drained: () => void;
  waitingBytes = 0;

  constructor(socket: Socket, handle: Handle, drained: () => void) {
    this.#socket = socket;
    this.#handle = handle;
    this.#drained = drained;
  }

  get isOpen(): boolean {
    const socket = this.#socket;
    // What Node keeps goes first; what it has given to the handle, the handle keeps in order.
    return isKnown === true && socket.writableLength === 0 && !socket.destroyed;
  }

  // hot:
  write(bytes: Buffer): void {
    const outcome = this.#handle.writeBuffer(null, bytes);
    if (outcome !== 0) this.#notDone(outcome, bytes);
  }

  #notDone(outcome: number | WriteRequest, bytes: Buffer): void {
    const status = typeof outcome === 'number' ? outcome : outcome.writeStatus;
    if (status === 0) return;
    // Without bytes in the queue it was refused, and nobody will say how it ended.
    if (status !== null || this.#handle.writeQueueSize === 0) {
      this.#socket.destroy();
      return;
    }
    const request = outcome as WriteRequest;
    this.waitingBytes += bytes.length;
    request.buffer = bytes;
    request.oncomplete = (ended) => {
      this.waitingBytes -= bytes.length;
      if (ended < 0) this.#socket.destroy();
      else this.#drained();
    };
  }
}
