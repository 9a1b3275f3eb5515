/** Time and turns, injected so that tests and the simulator own them. `systemClock` is the real one. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Runs the callback at the end of this turn of the event loop, after the input that is ready has been read. */
  defer(callback: () => void): void;
}

/** Opaque: what `setTimeout` returned. */
export type Timer = unknown;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  defer: (callback) => void setImmediate(callback),
};
