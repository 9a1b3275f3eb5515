import type { Broker } from './broker/broker.ts';
import type { Host } from './connection/host.ts';
import type { Queue } from './queue/queue.ts';

type Stat = readonly [name: string, value: string | number];

/** The server's figures: memcached's, Starling's and Kestrel's keys together. */
export function serverStats(host: Host): Stat[] {
  const { broker, counters } = host;
  const now = broker.clock.now();
  const { rss } = process.memoryUsage();
  const usage = process.cpuUsage();
  const queues = [...broker.registry.queues.values()];
  const sum = (figure: (queue: Queue) => number): number =>
    queues.reduce((total, queue) => total + figure(queue), 0);
  return [
    ['pid', process.pid],
    ['uptime', Math.floor((now - counters.startedAt) / 1000)],
    ['time', Math.floor(now / 1000)],
    ['version', host.version],
    ['pointer_size', 64],
    ['rusage_user', (usage.user / 1e6).toFixed(6)],
    ['rusage_system', (usage.system / 1e6).toFixed(6)],
    ['curr_items', sum((queue) => queue.items)],
    ['total_items', sum((queue) => queue.putTotal)],
    ['bytes', sum((queue) => queue.bodyBytes)],
    ['reserved_memory_ratio', (process.memoryUsage().heapUsed / rss).toFixed(3)],
    ['curr_connections', counters.currentConnections],
    ['total_connections', counters.totalConnections],
    ['max_connections', counters.connectionsMax],
    ['cmd_get', broker.counters.get],
    ['cmd_set', broker.counters.set],
    ['cmd_peek', broker.counters.peek],
    ['get_hits', broker.counters.hits],
    ['get_misses', broker.counters.misses],
    ['auth_cmds', (host.access?.counters.succeeded ?? 0) + (host.access?.counters.failed ?? 0)],
    ['auth_errors', host.access?.counters.failed ?? 0],
    ['client_throttled', counters.throttled],
    ['rejected_connections', host.clients.refused],
    ['bytes_read', counters.bytesRead],
    ['bytes_written', counters.bytesWritten],
    ['queue_creates', broker.registry.createdTotal],
    ['queue_deletes', broker.registry.deletedTotal],
    ['queue_expires', broker.registry.expiredTotal],
    // A queue on disk has no limit of memory.
    ['limit_maxbytes', 0],
    ['threads', 1],
  ];
}

/** One queue's figures, under Kestrel's and Starling's names. */
export function queueStats(broker: Broker, queue: Queue): Stat[] {
  const { reader } = queue;
  const now = broker.clock.now();
  const children = broker.registry.childrenOf(queue.name);
  const stats: Stat[] = [
    ['items', queue.items],
    ['bytes', queue.bodyBytes],
    ['total_items', queue.putTotal],
    ['logsize', queue.bodyBytes],
    ['expired_items', queue.expiredTotal],
    ['mem_items', reader.windowSize],
    ['mem_bytes', reader.windowBytes],
    ['age', queue.oldestAddedAt === 0 ? 0 : Math.max(0, now - queue.oldestAddedAt)],
    ['discarded', queue.discardedTotal],
    ['waiters', reader.waiters.size],
    ['open_transactions', reader.openReads.size],
    ['transactions', reader.openedTotal],
    ['canceled_transactions', reader.abortedTotal],
    ['total_flushes', queue.flushedTotal],
    ['refused_items', queue.refusedTotal],
    ['rate_limited', broker.registry.limited.get(queue.name)?.rates?.refused ?? 0],
    ['delayed_items', queue.delayedItems],
    ['duplicate_items', queue.duplicateTotal],
    ['dead_items', queue.deadTotal],
    ['paused', Number(queue.settings.paused)],
    ['create_time', Math.floor(queue.createdAt / 1000)],
    // The log is one for all queues and has neither; the keys are there for the tools that expect them.
    ['journal_rewrites', 0],
    ['journal_rotations', 0],
  ];
  if (children !== undefined) stats.push(['children', children.map((child) => child.name).join(',')]);
  return stats;
}
