/** Time and ends of turns. The real ones are the platform's; tests give others. */
export interface Clock {
  /** Milliseconds that never go back, but for the clock's own jumps. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Runs it when this turn of the event loop is over. */
  defer(callback: () => void): void;
}

/** Of Node and of browsers. */
export const platformClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number | undefined),
  defer: deferOfPlatform(),
};

/** Browsers have no `setImmediate`, and hold timers back: a message to oneself is what comes soonest. */
function deferOfPlatform(): Clock['defer'] {
  if (typeof globalThis.setImmediate === 'function') {
    return (callback) => void globalThis.setImmediate(callback);
  }
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return (callback) => {
    waiting.push(callback);
    channel.port2.postMessage(undefined);
  };
}
