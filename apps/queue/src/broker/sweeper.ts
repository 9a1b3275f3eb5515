import type { Clock, Timer } from '@rookery/storage';
import type { Reader } from '../queue/reader.ts';
import type { Registry } from './registry.ts';

/** What happens by time alone: expiry, open reads held too long, idle queues. */
export interface Sweeper {
  /** Gives back the reader's open reads when they are due, the first of them at `deadline`. */
  watchOpenReads(reader: Reader, deadline: number): void;
  stop(): void;
}

/** Each queue is looked at once in ten ticks, so a second, and a tick looks at a tenth of them. */
const tickMs = 100;
const ticksPerRound = 10;
/** A window that nobody used for so long goes back to the store. */
const evictAfterMs = 5000;

export function startSweeper(registry: Registry, clock: Clock, onError: (error: Error) => void): Sweeper {
  const watched = new Map<Reader, { timer: Timer; deadline: number }>();
  let round = registry.queues.values();
  let tick = clock.setTimeout(sweep, tickMs);

  function sweep(): void {
    const now = clock.now();
    let left = Math.ceil(registry.queues.size / ticksPerRound);
    while (left > 0) {
      const next = round.next();
      if (next.done === true) {
        round = registry.queues.values();
        break;
      }
      left -= 1;
      const queue = next.value;
      try {
        queue.expire(now, queue.settings.maxExpireSweep);
        if (queue.isIdle(now)) registry.removeIdle(queue);
        else if (now - queue.lastUsedAt > evictAfterMs) {
          queue.evict();
          for (const cursor of registry.cursorsOf(queue)?.values() ?? []) cursor.reader.evict();
        }
      } catch (error) {
        onError(error as Error);
      }
    }
    tick = clock.setTimeout(sweep, tickMs);
  }

  function giveBack(reader: Reader): void {
    watched.delete(reader);
    const next = reader.abortOverdue(clock.now());
    if (next > 0) watchOpenReads(reader, next);
  }

  function watchOpenReads(reader: Reader, deadline: number): void {
    const known = watched.get(reader);
    if (known !== undefined) {
      if (known.deadline <= deadline) return;
      clock.clearTimeout(known.timer);
    }
    const timer = clock.setTimeout(() => giveBack(reader), Math.max(1, deadline - clock.now()));
    watched.set(reader, { timer, deadline });
  }

  return {
    watchOpenReads,
    stop() {
      clock.clearTimeout(tick);
      for (const { timer } of watched.values()) clock.clearTimeout(timer);
      watched.clear();
    },
  };
}
