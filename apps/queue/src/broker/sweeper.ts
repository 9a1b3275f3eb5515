import type { Clock, Timer } from '@rookery/storage';
import type { Queue } from '../queue/queue.ts';
import type { Reader } from '../queue/reader.ts';
import type { Loader } from './loader.ts';
import type { Registry } from './registry.ts';
import { timerMsMax } from './timer.ts';

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
/** Reads that are due within so long come back together: each time all open reads of the queue are looked at. */
const watchMs = 10;
/** Heads of queues read from the store per tick, to see whether they expired. */
const loadsPerTick = 100;

export function startSweeper(
  registry: Registry,
  loader: Loader,
  clock: Clock,
  onError: (error: Error) => void,
): Sweeper {
  const watched = new Map<Reader, { timer: Timer; deadline: number }>();
  let round = registry.queues.values();
  let tick = clock.setTimeout(sweep, tickMs);
  let loadsLeft = 0;

  function sweep(): void {
    const now = clock.now();
    loadsLeft = loadsPerTick;
    // Also where there is none: an iterator left standing keeps every table that the map has outgrown since.
    let left = Math.max(1, Math.ceil(registry.queues.size / ticksPerRound));
    while (left > 0) {
      const next = round.next();
      if (next.done === true) {
        round = registry.queues.values();
        break;
      }
      left -= 1;
      try {
        visit(next.value, now);
      } catch (error) {
        onError(error as Error);
      }
    }
    tick = clock.setTimeout(sweep, tickMs);
  }

  function visit(queue: Queue, now: number): void {
    const cursors = [...(registry.cursorsOf(queue)?.values() ?? [])];
    queue.trimIds(now);
    const expired = queue.expire(now, queue.settings.maxExpireSweep);
    // What nobody reads must expire too, also when it is no longer, or not yet, in memory.
    const due = queue.headIsDue(now);
    const { windowBudget: budget } = registry;
    if (due !== false && loadsLeft > 0 && budget.bodyBytes < budget.limit) {
      loadsLeft -= 1;
      if (due === true || expired > 0) void loader.load(queue.reader);
      else void loader.load(queue.reader, 1);
    }
    if (queue.isIdle(now) && cursors.every(({ reader }) => reader.waiters.size === 0)) {
      registry.removeIdle(queue);
      return;
    }
    for (const reader of [queue.reader, ...cursors.map((cursor) => cursor.reader)]) {
      // A timeout that was set while reads were open.
      const [first] = reader.openReads;
      if (first !== undefined && first.deadline > 0) watchOpenReads(reader, first.deadline);
      if (now - queue.lastUsedAt <= evictAfterMs) continue;
      if (reader === queue.reader) queue.evict();
      else reader.evict();
    }
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
    const timer = clock.setTimeout(
      () => giveBack(reader),
      Math.min(Math.max(watchMs, deadline - clock.now()), timerMsMax),
    );
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
