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

/**
 * `systemClock`, but time stands still within a turn of the event loop: asking costs a comparison, for whoever asks at
 * every request (30 to 50 ns, 5 % of a put in a burst).
 */
export function createTurnClock(): Clock {
  let now = 0;
  const forget = (): void => {
    now = 0;
  };
  return {
    ...systemClock,
    now() {
      if (now === 0) {
        now = Date.now();
        setImmediate(forget);
      }
      return now;
    },
  };
}
