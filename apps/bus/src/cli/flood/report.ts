/** What a flood prints. Pure. */
import { table } from '@rookery/service';
import type { FloodOptions } from './flood.ts';

export interface ReceiverReport {
  readonly session: string;
  readonly messages: number;
  readonly dropped: number;
  /** From the first message sent to the last one received. */
  readonly seconds: number;
}

export interface FloodReport {
  readonly time: Date;
  readonly options: FloodOptions;
  /** Until all is confirmed and received. */
  readonly seconds: number;
  readonly receivers: readonly ReceiverReport[];
  /** Of messages that a session sent and received itself; none if no session did both. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number } | undefined;
}

/** The stable form for programs: a line for each receiver and one for all. */
export function floodJson({ time, options, seconds, receivers, latencyMs }: FloodReport): string {
  const at = time.toISOString();
  const lines: unknown[] = receivers.map((receiver) => ({
    event: 'receiver',
    time: at,
    session: receiver.session,
    messages: receiver.messages,
    dropped: receiver.dropped,
    seconds: rounded(receiver.seconds),
    messages_per_second: Math.round(receiver.messages / receiver.seconds),
    bytes_per_second: Math.round((receiver.messages * options.size) / receiver.seconds),
  }));
  const { group, size, messages, senders, service } = options;
  lines.push({
    event: 'result',
    time: at,
    group,
    service,
    message_bytes: size,
    senders,
    messages_per_sender: messages,
    seconds: rounded(seconds),
    latency_ms:
      latencyMs === undefined
        ? null
        : { p50: rounded(latencyMs.p50), p99: rounded(latencyMs.p99), max: rounded(latencyMs.max) },
  });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

export function floodText({ options, seconds, receivers, latencyMs }: FloodReport): string {
  const { size, messages, senders, service } = options;
  const sent = `${senders * messages} messages (${service}, ${size} bytes) sent and confirmed in ${seconds.toFixed(2)} s\n`;
  if (receivers.length === 0) return sent;
  const rows = receivers.map((receiver) => [
    receiver.session,
    receiver.messages,
    receiver.dropped,
    Math.round(receiver.messages / receiver.seconds),
    ((receiver.messages * size) / receiver.seconds / 1e6).toFixed(2),
  ]);
  const figures = table(['receiver', 'messages', 'dropped', 'messages/s', 'MB/s'], rows);
  if (latencyMs === undefined) return sent + figures;
  const { p50, p99, max } = latencyMs;
  return `${sent}${figures}from sending to one's own delivery: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(2)} ms\n`;
}

/** Three digits behind the point: more say nothing. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
