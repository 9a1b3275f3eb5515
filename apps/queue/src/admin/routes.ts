import { type Admin, AdminError } from '@rookery/service';
import type { Broker } from '../broker/broker.ts';
import { shownSettings } from '../broker/queue-settings.ts';
import { displayName, wireName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';

/** One queue as `/queues` shows it. The names and units are a contract: docs/run-the-queue.md. */
export interface QueueView {
  readonly name: string;
  readonly messages: number;
  readonly body_bytes: number;
  readonly open_reads: number;
  readonly waiting_reads: number;
  readonly oldest_age_ms: number | null;
  readonly put_total: number;
  readonly expired_total: number;
  readonly discarded_total: number;
  readonly refused_total: number;
  readonly reads_opened_total: number;
  readonly reads_aborted_total: number;
  readonly created_at: string;
  readonly children: readonly string[];
  readonly cursors: readonly string[];
}

/** Queues in one answer: more come by `?after=NAME`. */
const queuesPerPage = 1000;

export function addRoutes(admin: Admin, broker: Broker): void {
  const { queues } = broker.registry;
  admin.route('GET', '/queues', ({ query }) => {
    const after = query.get('after');
    const names = [...queues.keys()].sort();
    const from = after === null ? 0 : names.findIndex((name) => name > wireName(after));
    const page = from < 0 ? [] : names.slice(from, from + queuesPerPage);
    const rest = from < 0 ? 0 : names.length - from - page.length;
    return {
      status: broker.status,
      queues: page.map((name) => view(broker, queues.get(name)!)),
      next_after: rest > 0 ? displayName(page.at(-1)!) : null,
    };
  });
  admin.route('GET', '/queues/:name', ({ params }) => {
    const queue = queues.get(wireName(params.name ?? ''));
    if (queue === undefined) throw new AdminError('not_found', `there is no queue "${params.name}"`);
    return { ...view(broker, queue), settings: shownSettings(queue.settings) };
  });
}

function view(broker: Broker, queue: Queue): QueueView {
  const { reader } = queue;
  const oldest = reader.oldestAddedAt;
  return {
    name: displayName(queue.name),
    messages: queue.items,
    body_bytes: queue.bodyBytes,
    open_reads: reader.openReads.size,
    waiting_reads: reader.waiters.size,
    // Unknown while the head of the queue is on disk only.
    oldest_age_ms: oldest === 0 ? null : Math.max(0, broker.clock.now() - oldest),
    put_total: queue.putTotal,
    expired_total: queue.expiredTotal,
    discarded_total: queue.discardedTotal,
    refused_total: queue.refusedTotal,
    reads_opened_total: reader.openedTotal,
    reads_aborted_total: reader.abortedTotal,
    created_at: new Date(queue.createdAt).toISOString(),
    children: (broker.registry.childrenOf(queue.name) ?? []).map((child) => displayName(child.name)),
    cursors: [...(broker.registry.cursorsOf(queue)?.keys() ?? [])].map(displayName),
  };
}
