import { displayName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';

/** A queue at the last look, and how fast it went between the last two. */
export interface Sample {
  readonly queue: Queue;
  readonly name: string;
  items: number;
  putTotal: number;
  /** Messages put a second. */
  in: number;
  /** Messages a second that left: read, expired, flushed, or moved to another queue. */
  out: number;
}

/** What all queues come to. */
export interface Sum {
  messages: number;
  bodyBytes: number;
  delayed: number;
  openReads: number;
  waitingReads: number;
  in: number;
  out: number;
}

export interface Rates {
  /** Looks at all queues, `now` in milliseconds of any steady clock. */
  look(queues: Iterable<Queue>, now: number): void;
  /** Nobody watches: what was seen is too old to make rates of. */
  forget(): void;
  readonly samples: readonly Sample[];
  readonly sum: Readonly<Sum>;
}

/** Rates of all queues by what two looks differ in, so that requests pay for none of it. */
export function createRates(): Rates {
  let before = new Map<Queue, Sample>();
  let lookedAt: number | undefined;
  let samples: Sample[] = [];
  let sum = nothing();
  return {
    look(queues, now) {
      const seconds = lookedAt === undefined ? Number.POSITIVE_INFINITY : (now - lookedAt) / 1000;
      const seen = new Map<Queue, Sample>();
      samples = [];
      sum = nothing();
      for (const queue of queues) {
        const sample = looked(queue, before.get(queue), seconds);
        seen.set(queue, sample);
        samples.push(sample);
        sum.messages += sample.items;
        sum.bodyBytes += queue.bodyBytes;
        sum.delayed += queue.delayedItems;
        sum.openReads += queue.reader.openReads.size;
        sum.waitingReads += queue.reader.waiters.size;
        sum.in += sample.in;
        sum.out += sample.out;
      }
      before = seen;
      lookedAt = now;
    },
    forget() {
      before = new Map();
      lookedAt = undefined;
      samples = [];
    },
    get samples() {
      return samples;
    },
    get sum() {
      return sum;
    },
  };
}

function looked(queue: Queue, before: Sample | undefined, seconds: number): Sample {
  const { items, putTotal } = queue;
  if (before === undefined) {
    // A queue that has come since the last look began with nothing.
    const put = putTotal / seconds;
    return { queue, name: displayName(queue.name), items, putTotal, in: put, out: put - items / seconds };
  }
  const put = putTotal - before.putTotal;
  before.in = put / seconds;
  before.out = Math.max(0, before.items + put - items) / seconds;
  before.items = items;
  before.putTotal = putTotal;
  return before;
}

function nothing(): Sum {
  return { messages: 0, bodyBytes: 0, delayed: 0, openReads: 0, waitingReads: 0, in: 0, out: 0 };
}
