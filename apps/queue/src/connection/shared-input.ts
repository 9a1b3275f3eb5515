import { Socket, type SocketConstructorOpts } from 'node:net';

/** As much as Node reads at once. */
const input = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A socket in place of an accepted one that came paused, which reads into one buffer for all connections; Node makes
 * one of 64 KiB for each read and gives most of it back, a tenth of what a request by itself costs. `received` is given
 * the buffer and how much of it is new, and after it returns the buffer is written over.
 *
 * Only who makes a socket can ask for that (`onread`), and those of a server are made by Node: so the handle changes
 * hands. That isn't documented. Undefined if this Node has none to give, and then the accepted one is as it was.
 */
export function withSharedInput(
  accepted: Socket,
  received: (buffer: Buffer, length: number) => void,
): Socket | undefined {
  const owner = accepted as unknown as { _handle: { readonly useUserBuffer?: unknown } | null };
  const handle = owner._handle;
  if (typeof handle?.useUserBuffer !== 'function') return undefined;
  owner._handle = null;
  const options: SocketConstructorOpts = {
    allowHalfOpen: true,
    onread: {
      buffer: input,
      callback: (length) => {
        received(input, length);
        return true;
      },
    },
  };
  const socket = new Socket({ ...options, handle } as object);
  // For the server, which counts it.
  socket.on('close', () => accepted.destroy());
  return socket;
}
