/** What a bench prints. Pure. */
import { table } from '@rookery/service';
import type { BenchOptions } from './bench.ts';

export interface Measured {
  readonly what: 'put' | 'get';
  readonly messages: number;
  /** From the first call to the last answer. */
  readonly seconds: number;
  /** Of one call, its time in this process included. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The stable form for programs: a line for each of the two. */
export function benchJson({ size, connections, pipeline }: BenchOptions, runs: readonly Measured[]): string {
  return runs
    .map(({ what, messages, seconds, latencyMs }) => {
      const { p50, p99, max } = latencyMs;
      return `${JSON.stringify({
        what,
        messages,
        message_bytes: size,
        connections,
        pipeline,
        seconds: rounded(seconds),
        messages_per_second: Math.round(messages / seconds),
        latency_ms: { p50: rounded(p50), p99: rounded(p99), max: rounded(max) },
      })}\n`;
    })
    .join('');
}

export function benchText(
  { size, connections, pipeline, messages }: BenchOptions,
  runs: readonly Measured[],
): string {
  const rows = runs.map(({ what, seconds, latencyMs: { p50, p99, max } }) => [
    what,
    Math.round(messages / seconds),
    ((messages * size) / seconds / 1e6).toFixed(1),
    ...[p50, p99, max].map((ms) => ms.toFixed(2)),
  ]);
  const load = `${messages} messages of ${size} bytes, ${connections} connections, ${pipeline} calls deep; the load is made by this process\n`;
  return load + table(['', 'messages/s', 'MB/s', 'p50 ms', 'p99 ms', 'max ms'], rows);
}

/** Three digits behind the point: more say nothing. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
