import { type Admin, choose, type Figures, parseChoice } from '@rookery/service';
import { shownSettings } from '../broker/queue-settings.ts';
import type { Host } from '../connection/host.ts';
import { wireName } from '../names.ts';
import { createRates, type Sample } from './rates.ts';
import { type QueueView, viewOf } from './view.ts';

/** A queue with how fast it goes. */
export interface QueueRow extends QueueView {
  readonly puts_per_second: number;
  /** That left: read, expired, flushed or moved away. */
  readonly leaves_per_second: number;
}

/** What `/feed/queues` sends each second. */
export interface QueuesSnapshot {
  readonly status: string;
  readonly connections: number;
  readonly queues_total: number;
  readonly messages: number;
  readonly body_bytes: number;
  readonly delayed_messages: number;
  readonly open_reads: number;
  readonly waiting_reads: number;
  readonly puts_per_second: number;
  readonly leaves_per_second: number;
  /** How many the search found; `queues` are `limit` of these, from `from` on. */
  readonly matching: number;
  readonly queues: readonly QueueRow[];
  /** The one of `?queue=`, with its settings; null if there is none. */
  readonly queue: (QueueRow & { readonly settings: ReturnType<typeof shownSettings> }) | null;
}

const figures = {
  messages: ({ items }) => items,
  bytes: ({ queue }) => queue.bodyBytes,
  in: (sample) => sample.in,
  out: (sample) => sample.out,
  // Older is more; an unknown age is none.
  age: ({ queue }) => (queue.oldestAddedAt === 0 ? Number.NEGATIVE_INFINITY : -queue.oldestAddedAt),
  open: ({ queue }) => queue.reader.openReads.size,
  waiting: ({ queue }) => queue.reader.waiters.size,
  delayed: ({ queue }) => queue.delayedItems,
  dead: ({ queue }) => queue.deadTotal,
} satisfies Figures<Sample, string>;

const lookMs = 1000;
/** All looks together take a twentieth of the processor at most: with very many queues they come less often. */
const restPerWork = 19;

/** Live figures for those who watch. While nobody does, nothing is looked at. */
export function addFeed(admin: Admin, host: Host): void {
  const { broker } = host;
  const { queues } = broker.registry;
  const rates = createRates();
  let looking = false;

  const feed = admin.feed('/feed/queues', ({ query }): QueuesSnapshot => {
    if (!looking) look();
    const { sum } = rates;
    const { rows, matching } = choose(rates.samples, parseChoice(query, figures), figures);
    const wanted = query.get('queue');
    const selected = wanted === null ? undefined : queues.get(wireName(wanted));
    const sample = selected && rates.samples.find(({ queue }) => queue === selected);
    return {
      status: broker.status,
      connections: host.counters.currentConnections,
      queues_total: queues.size,
      messages: sum.messages,
      body_bytes: sum.bodyBytes,
      delayed_messages: sum.delayed,
      open_reads: sum.openReads,
      waiting_reads: sum.waitingReads,
      puts_per_second: rounded(sum.in),
      leaves_per_second: rounded(sum.out),
      matching,
      queues: rows.map(row),
      queue: sample ? { ...row(sample), settings: shownSettings(sample.queue.settings) } : null,
    };
  });

  function row(sample: Sample): QueueRow {
    return {
      ...viewOf(broker, sample.queue),
      puts_per_second: rounded(sample.in),
      leaves_per_second: rounded(sample.out),
    };
  }

  function look(): void {
    looking = true;
    const began = performance.now();
    rates.look(queues.values(), began);
    feed.refresh();
    const tookMs = performance.now() - began;
    setTimeout(again, Math.max(lookMs - tookMs, tookMs * restPerWork)).unref();
  }

  function again(): void {
    if (feed.watchers > 0) {
      look();
      return;
    }
    looking = false;
    rates.forget();
  }
}

function rounded(rate: number): number {
  return Math.round(rate * 10) / 10;
}
