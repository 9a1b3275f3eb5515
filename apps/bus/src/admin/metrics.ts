import { type MetricSample, type Metrics, snakeCase } from '@rookery/service';
import type { BusDaemon } from '../server.ts';
import { addKeptMetrics } from './kept.ts';

/** Registers the figures; each is read when somebody scrapes, so that messages pay for none of it. */
export function addMetrics(metrics: Metrics, daemon: BusDaemon): void {
  const { engine, groups, sessions, halfMessages, spread, webSocket, badInput, durable } = daemon.parts;
  const { counters } = sessions;
  const counter = (name: string, help: string, value: () => number | Iterable<MetricSample>): void =>
    metrics.registerCounter({ name, help, value });
  const gauge = (name: string, help: string, value: () => number | Iterable<MetricSample>): void =>
    metrics.registerGauge({ name, help, value });
  const ring = (name: string) => () => engine.status().counters[name] ?? 0;

  gauge('ring_members', 'Daemons in this one’s view', () => {
    return engine.status().configuration?.members.length ?? 0;
  });
  gauge('ring_queued_bytes', 'Bytes that wait for the token', () => engine.queuedBytes);
  counter('ring_views_total', 'Views installed', ring('installed'));
  counter('ring_gathers_total', 'Times the ring was formed anew, or tried to be', ring('gathers'));
  counter('ring_tokens_total', 'Visits of the token', ring('tokens'));
  counter('ring_packets_sent_total', 'Data packets sent, retransmissions not counted', ring('packetsSent'));
  counter('ring_packets_received_total', 'Data packets received', ring('packetsReceived'));
  counter('ring_retransmissions_total', 'Data packets sent again', ring('retransmissions'));
  counter('ring_datagrams_sent_total', 'Datagrams sent', ring('sent'));
  counter('ring_datagrams_received_total', 'Datagrams received', ring('received'));
  counter('ring_datagrams_refused_total', 'Datagrams that were not whole, fresh and from a friend', () =>
    ['malformed', 'otherSeal', 'badSeal', 'replayed', 'unproven', 'badProof'].map((reason) => ({
      labels: { reason: snakeCase(reason) },
      value: ring(reason)(),
    })),
  );
  counter('ring_unknown_events_total', 'Events that this version does not know', () => {
    return groups.counters.unknownEvents;
  });
  gauge('groups', 'Groups in the network', () => groups.count);
  gauge('sessions', 'Clients here, parked ones included', () => sessions.size);
  gauge('connections', 'Connections here', () => [
    { labels: { wire: 'spread' }, value: spread.connections },
    { labels: { wire: 'websocket' }, value: webSocket.connections },
  ]);
  counter('sessions_total', 'Clients that came', () => counters.connected);
  counter('sessions_ended_total', 'Clients that went, by reason', () =>
    Object.entries(counters.ended).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  counter('messages_received_total', 'Messages from clients here', () => counters.messagesReceived);
  counter('messages_delivered_total', 'Messages to clients here', () => counters.messagesDelivered);
  counter('received_bytes_total', 'Bytes of messages from clients here', () => counters.bytesReceived);
  counter('delivered_bytes_total', 'Bytes of messages to clients here', () => counters.bytesDelivered);
  counter('waits_total', 'Times that a client was held up', () => counters.waits);
  gauge('outbox_bytes', 'Bytes that wait for clients', () => sessions.outboxesBytes);
  gauge('half_messages_bytes', 'Bytes of messages that are not whole yet', () => halfMessages.bytes);
  counter(
    'dropped_total',
    'Messages that gave way in outboxes: dropped, or a newer one with their key came',
    () => {
      return counters.dropped;
    },
  );
  addKeptMetrics(metrics, durable);
  counter('input_refused_total', 'Input of clients that was refused', () =>
    [...badInput].map(([name, value]) => {
      const [wire = '', reason = ''] = name.split(' ');
      return { labels: { wire, reason }, value };
    }),
  );
}
