/** How much may be under way at once. It grows while answers come quickly and shrinks when they queue somewhere. */
export interface Window {
  readonly bytes: number;
  answered(waitedMs: number, bytes: number): void;
  /** Back to the least, after silence. */
  reset(): void;
}

/** Answers that are quicker wait for nobody: there is room for more. */
const QUICK_MS = 300;
/** Slower ones wait in a queue, where a piece can't be given to somebody else any more. */
const SLOW_MS = 1_000;

export function createWindow(leastBytes: number, mostBytes: number): Window {
  let bytes = leastBytes;
  return {
    get bytes() {
      return bytes;
    },
    answered(waitedMs, answeredBytes) {
      if (waitedMs < QUICK_MS) bytes = Math.min(mostBytes, bytes + answeredBytes);
      else if (waitedMs > SLOW_MS) bytes = Math.max(leastBytes, bytes - answeredBytes / 2);
    },
    reset() {
      bytes = leastBytes;
    },
  };
}
