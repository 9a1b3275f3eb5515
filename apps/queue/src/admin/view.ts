import type { Broker } from '../broker/broker.ts';
import { displayName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';

/** One queue as the admin port shows it. The names and units are a contract: docs/run-the-queue.md. */
export interface QueueView {
  readonly name: string;
  readonly messages: number;
  readonly body_bytes: number;
  readonly delayed_messages: number;
  readonly open_reads: number;
  readonly waiting_reads: number;
  readonly oldest_age_ms: number | null;
  readonly paused: boolean;
  readonly put_total: number;
  readonly expired_total: number;
  readonly discarded_total: number;
  readonly refused_total: number;
  readonly duplicates_total: number;
  readonly dead_total: number;
  readonly reads_opened_total: number;
  readonly reads_aborted_total: number;
  readonly created_at: string;
  readonly children: readonly string[];
  readonly cursors: readonly string[];
}

export function viewOf(broker: Broker, queue: Queue): QueueView {
  const { reader } = queue;
  const oldest = queue.oldestAddedAt;
  return {
    name: displayName(queue.name),
    messages: queue.items,
    body_bytes: queue.bodyBytes,
    delayed_messages: queue.delayedItems,
    open_reads: reader.openReads.size,
    waiting_reads: reader.waiters.size,
    // Unknown while the head of the queue has not been read from the disk.
    oldest_age_ms: oldest === 0 ? null : Math.max(0, broker.clock.now() - oldest),
    paused: queue.settings.paused,
    put_total: queue.putTotal,
    expired_total: queue.expiredTotal,
    discarded_total: queue.discardedTotal,
    refused_total: queue.refusedTotal,
    duplicates_total: queue.duplicateTotal,
    dead_total: queue.deadTotal,
    reads_opened_total: reader.openedTotal,
    reads_aborted_total: reader.abortedTotal,
    created_at: new Date(queue.createdAt).toISOString(),
    children: (broker.registry.childrenOf(queue.name) ?? []).map((child) => displayName(child.name)),
    cursors: [...(broker.registry.cursorsOf(queue)?.keys() ?? [])].map(displayName),
  };
}
