/** How much may be under way at once. It grows while answers come quickly and shrinks when they queue somewhere. */
export interface Window {
  readonly bytes: number;
  answered(waitedMs: number, bytes: number): void;
  /** Back to the least, after silence. */
  reset(): void;
}

export interface WindowOptions {
  readonly leastBytes: number;
  readonly mostBytes: number;
  /** Longer than the quickest answer so far: those below wait for nobody, and there is room for more. */
  readonly quickMs: number;
  /** Those above wait in a queue, where a piece can't be given to somebody else any more. */
  readonly slowMs: number;
}

export function createWindow({ leastBytes, mostBytes, quickMs, slowMs }: WindowOptions): Window {
  let bytes = leastBytes;
  /** What the way itself takes. */
  let leastMs = Infinity;
  return {
    get bytes() {
      return bytes;
    },
    answered(waitedMs, answeredBytes) {
      leastMs = Math.min(leastMs, waitedMs);
      const queuedMs = waitedMs - leastMs;
      if (queuedMs < quickMs) bytes = Math.min(mostBytes, bytes + answeredBytes);
      else if (queuedMs > slowMs) bytes = Math.max(leastBytes, bytes - answeredBytes / 2);
    },
    reset() {
      bytes = leastBytes;
      leastMs = Infinity;
    },
  };
}
