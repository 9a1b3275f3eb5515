/**
 * Buffers of one size that are used again. What V8 must collect of pieces and blocks costs more than to fetch them: it
 * looks through the whole heap for every 64 MiB of them, and meanwhile they lie there.
 */
export interface Buffers {
  /** Their bytes are what was left in them. A longer one than all others is a new one. */
  take(length: number): Buffer;
  /** Nobody uses it any more. */
  give(buffer: Buffer): void;
}

/** @param keptBytes that lie there unused, at most */
export function createBuffers(bytesEach: number, keptBytes: number): Buffers {
  const free: Buffer[] = [];
  const most = Math.floor(keptBytes / bytesEach);
  return {
    take(length) {
      if (length > bytesEach) return Buffer.allocUnsafeSlow(length);
      const buffer = free.pop() ?? Buffer.allocUnsafeSlow(bytesEach);
      return length === bytesEach ? buffer : buffer.subarray(0, length);
    },
    give({ buffer }) {
      if (buffer.byteLength === bytesEach && free.length < most) free.push(Buffer.from(buffer));
    },
  };
}
