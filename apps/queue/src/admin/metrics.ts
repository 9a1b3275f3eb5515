import type { MetricSample, Metrics } from '@rookery/service';
import type { Log } from '@rookery/storage';
import type { Host } from '../connection/host.ts';
import { displayName } from '../names.ts';
import type { Queue } from '../queue/queue.ts';

/** Registers the figures; each is read when somebody scrapes, so that requests pay for none of it. */
export function addMetrics(metrics: Metrics, host: Host, log: Log): void {
  const { broker, counters } = host;
  const perQueue = (figure: (queue: Queue) => number) =>
    function* (): Iterable<MetricSample> {
      for (const queue of broker.registry.queues.values()) {
        yield { labels: { queue: displayName(queue.name) }, value: figure(queue) };
      }
    };
  const counter = (name: string, help: string, value: () => number | Iterable<MetricSample>): void =>
    metrics.registerCounter({ name, help, value });
  const gauge = (name: string, help: string, value: () => number | Iterable<MetricSample>): void =>
    metrics.registerGauge({ name, help, value });

  gauge(
    'messages',
    'Messages waiting or open',
    perQueue((queue) => queue.items),
  );
  gauge(
    'message_body_bytes',
    'Bytes of the bodies of these',
    perQueue((queue) => queue.bodyBytes),
  );
  gauge(
    'open_reads',
    'Reliable reads held open',
    perQueue((queue) => queue.reader.openReads.size),
  );
  gauge(
    'waiting_reads',
    'Reads that wait for a message',
    perQueue((queue) => queue.reader.waiters.size),
  );
  counter(
    'messages_put_total',
    'Messages put',
    perQueue((queue) => queue.putTotal),
  );
  counter(
    'messages_expired_total',
    'Messages that expired',
    perQueue((queue) => queue.expiredTotal),
  );
  counter(
    'messages_discarded_total',
    'Oldest messages dropped to make room',
    perQueue((queue) => queue.discardedTotal),
  );
  gauge(
    'messages_delayed',
    'Messages that wait for their time',
    perQueue((queue) => queue.delayedItems),
  );
  counter(
    'messages_duplicate_total',
    'Puts whose id was known',
    perQueue((queue) => queue.duplicateTotal),
  );
  counter(
    'messages_dead_total',
    'Messages that went where dead letters go',
    perQueue((queue) => queue.deadTotal),
  );
  counter(
    'messages_refused_total',
    'Puts refused by a limit of the queue',
    perQueue((queue) => queue.refusedTotal),
  );
  counter(
    'reads_opened_total',
    'Reliable reads begun',
    perQueue((queue) => queue.reader.openedTotal),
  );
  counter(
    'reads_aborted_total',
    'Reliable reads that came back',
    perQueue((queue) => queue.reader.abortedTotal),
  );
  gauge('queues', 'Queues', () => broker.registry.queues.size);
  counter('commands_total', 'Commands by kind', () => [
    { labels: { command: 'get' }, value: broker.counters.get },
    { labels: { command: 'set' }, value: broker.counters.set },
    { labels: { command: 'peek' }, value: broker.counters.peek },
  ]);
  counter('get_hits_total', 'Reads that found a message', () => broker.counters.hits);
  counter('get_misses_total', 'Reads that found none', () => broker.counters.misses);
  gauge('connections', 'Clients connected', () => counters.currentConnections);
  counter('connections_total', 'Clients that came', () => counters.totalConnections);
  counter('authentications_total', 'Tokens shown, by what came of it', () => [
    { labels: { result: 'succeeded' }, value: host.access?.counters.succeeded ?? 0 },
    { labels: { result: 'failed' }, value: host.access?.counters.failed ?? 0 },
  ]);
  counter(
    'forbidden_total',
    'Requests refused for want of a right',
    () => host.access?.counters.forbidden ?? 0,
  );
  counter('tls_failures_total', 'Clients that could not agree on TLS', () => counters.failedHandshakes);
  counter('received_bytes_total', 'Bytes read from clients', () => counters.bytesRead);
  counter('sent_bytes_total', 'Bytes written to clients', () => counters.bytesWritten);
  gauge(
    'window_bytes',
    'Bodies held in memory ahead of readers',
    () => broker.registry.windowBudget.bodyBytes,
  );

  gauge('log_segments', 'Files of the log', () => log.stats.segments);
  gauge('log_disk_bytes', 'Bytes of all files of the log', () => log.stats.diskBytes);
  gauge('log_live_bytes', 'Bytes of records that are not acknowledged', () => log.stats.liveBytes);
  gauge('log_full', '1 while puts are refused for want of disk space', () => Number(log.full));
  counter('log_written_bytes_total', 'Bytes written to the log', () => log.stats.writtenBytes);
  counter('log_writes_total', 'Writes to the log', () => log.stats.writes);
  counter('log_syncs_total', 'Times the log was synced to the device', () => log.stats.syncs);
  counter('log_carried_bytes_total', 'Live bytes copied by reclaim', () => log.stats.carriedBytes);
  counter('log_removed_segments_total', 'Files of the log removed', () => log.stats.removedSegments);
  counter('log_damaged_records_total', 'Damaged places found and set aside', () => log.stats.damagedRecords);
}
