import type { Clock, Timer } from '@rookery/storage';
import type { Loader } from './loader.ts';
import type { Registry } from './registry.ts';
import { timerMsMax } from './timer.ts';

/** Empties queues, of everything or of what has expired. */
export interface Flusher {
  /** False if there is no such queue. @throws StoreError */
  flush(name: string): boolean;
  /**
   * Flushes everything at a time, in milliseconds since the Unix epoch, or now if it has passed; a later call replaces
   * an earlier one. Forgotten at a restart. Undefined when that is done, or will be done by time; a promise where there
   * are so many queues that others get their turn meanwhile. @throws StoreError
   */
  flushAllAt(at: number): Promise<void> | undefined;
  /** Expires what is due at the head of the queue, reading the store as far as needed; resolves with how many. */
  flushExpired(name: string): Promise<number>;
  flushAllExpired(): Promise<number>;
  stop(): void;
}

/** Queues flushed in one turn: some 3 ms where each has something. */
const queuesPerTurn = 1000;

export function createFlusher(
  registry: Registry,
  loader: Loader,
  clock: Clock,
  onError: (error: Error) => void,
): Flusher {
  const { queues } = registry;
  let timer: Timer;

  function flush(name: string): boolean {
    const queue = queues.get(name);
    if (queue === undefined) return false;
    queue.flush();
    for (const cursor of registry.cursorsOf(queue)?.values() ?? []) cursor.reader.purged();
    return true;
  }

  function flushAllAt(at: number): Promise<void> | undefined {
    clock.clearTimeout(timer);
    const delayMs = at - clock.now();
    if (delayMs <= 0) return flushAll();
    timer = clock.setTimeout(() => void flushWhenDue(at), Math.min(delayMs, timerMsMax));
    return undefined;
  }

  async function flushWhenDue(at: number): Promise<void> {
    try {
      await flushAllAt(at);
    } catch (error) {
      onError(error as Error);
    }
  }

  function flushAll(): Promise<void> | undefined {
    const names = [...queues.keys()];
    for (const name of names.slice(0, queuesPerTurn)) flush(name);
    return names.length <= queuesPerTurn ? undefined : flushRest(names);
  }

  async function flushRest(names: readonly string[]): Promise<void> {
    for (let from = queuesPerTurn; from < names.length; from += queuesPerTurn) {
      await new Promise<void>((resolve) => clock.defer(resolve));
      for (const name of names.slice(from, from + queuesPerTurn)) flush(name);
    }
  }

  async function flushExpired(name: string): Promise<number> {
    const queue = queues.get(name);
    if (queue === undefined) return 0;
    let expired = 0;
    for (;;) {
      expired += queue.expire(clock.now(), Number.POSITIVE_INFINITY);
      if (queue.reader.windowSize > 0 || !queue.reader.behind) return expired;
      if (!(await loader.load(queue.reader))) return expired;
    }
  }

  return {
    flush,
    flushAllAt,
    flushExpired,
    async flushAllExpired() {
      let expired = 0;
      for (const name of [...queues.keys()]) expired += await flushExpired(name);
      return expired;
    },
    stop: () => clock.clearTimeout(timer),
  };
}
