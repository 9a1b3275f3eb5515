/** Time and ends of turns. The real ones are the platform's; tests give others. */
export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Runs it when this turn of the event loop is over. */
  defer(callback: () => void): void;
}

export const platformClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  defer: (callback) => void setImmediate(callback),
};
