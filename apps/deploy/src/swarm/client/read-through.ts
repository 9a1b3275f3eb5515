import { Socket } from 'node:net';

/**
 * Reads a connected socket through one buffer that all such sockets share: `take` must be done with the bytes, or have
 * copied them, when it returns.
 *
 * Otherwise Node allocates 64 KiB for each read, and of a peer's processor time a third went into collecting them. For
 * sockets that a program opens itself there is the `onread` option; those that webtorrent has accepted or dialled are
 * given the same here, by the names that the option has inside of a socket. Where a later Node doesn't know these, the
 * socket is read as any other.
 */
export function readThrough(socket: Socket, take: (bytes: Buffer) => void): void {
  const inside = socket as unknown as Inside;
  if (names === undefined || typeof inside._handle?.useUserBuffer !== 'function') {
    socket.on('data', take);
    return;
  }
  inside[names.buffer] = shared;
  inside[names.callback] = (length: number, buffer: Buffer) => {
    take(buffer.subarray(0, length));
    return true;
  };
  inside._handle.useUserBuffer(shared);
  socket.resume();
}

interface Inside {
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
  [name: symbol]: unknown;
}

/** A few blocks: under load more than one message comes with each read. */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

const names = namesInside();

function namesInside(): { readonly buffer: symbol; readonly callback: symbol } | undefined {
  const callback = (): boolean => true;
  const example = new Socket({ onread: { buffer: shared, callback } }) as unknown as Inside;
  const symbols = Object.getOwnPropertySymbols(example);
  const named = (value: unknown): symbol | undefined => symbols.find((name) => example[name] === value);
  const found = { buffer: named(shared), callback: named(callback) };
  return found.buffer === undefined || found.callback === undefined
    ? undefined
    : { buffer: found.buffer, callback: found.callback };
}
