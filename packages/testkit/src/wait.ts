import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, in words: it stands in the error. */
  readonly what: string;
  /** Default 30 s: enough for a program that starts on a machine which is busy with other tests. */
  readonly withinMs?: number;
  /** Default 10 ms. */
  readonly everyMs?: number;
  /** What to tell besides when it did not happen, such as the output so far. */
  readonly detail?: () => string;
}

/** Asks again and again, in real time, until the answer is neither false nor undefined; returns the answer. */
export async function waitFor<T>(
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  options: WaitOptions,
): Promise<T> {
  const { what, withinMs = 30_000, everyMs = 10 } = options;
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() >= deadline) {
      const detail = options.detail?.() ?? '';
      throw new Error(`Waited ${withinMs} ms for ${what}: it did not happen${detail && `\n${detail}`}`);
    }
    await delay(everyMs);
  }
}
