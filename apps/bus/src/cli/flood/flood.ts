/** Load and latency: some sessions send, some count what comes; all in this one process, by one clock. */
import { randomInt } from 'node:crypto';
import { createHistogram } from 'node:perf_hooks';
import type { Bus, Service } from '../../client/index.ts';
import { explained, openBus, type Target } from '../connection.ts';
import { Receiver } from './receiver.ts';
import { floodJson, floodText } from './report.ts';
import { send, WINDOW_BYTES } from './send.ts';

export interface FloodOptions {
  readonly group: string;
  /** Bytes of a message. */
  readonly size: number;
  /** Each sender's. */
  readonly messages: number;
  readonly senders: number;
  readonly receivers: number;
  readonly service: Service;
  /** Messages of a sender that may be without confirmation; 0 leaves it to a window of bytes. */
  readonly window: number;
  /** Messages a second of each sender; 0 for as many as go. */
  readonly rate: number;
  readonly json: boolean;
}

export interface Run {
  readonly id: number;
  /** By all senders. */
  sent: number;
}

const PROGRESS_MS = 250;

/** Resolves to what to print. The first sessions both send and receive, as far as there are enough of each. */
export async function flood(target: Target, options: FloodOptions, signal: AbortSignal): Promise<string> {
  const { senders, receivers, group, messages, json } = options;
  const run: Run = { id: randomInt(2 ** 32), sent: 0 };
  const latency = createHistogram();
  const buses: Bus[] = [];
  const close = (): Promise<unknown> => Promise.all(buses.map((bus) => bus.close()));
  signal.addEventListener('abort', () => void close());
  try {
    while (buses.length < Math.max(senders, receivers)) {
      buses.push(
        await openBus(target, signal, {
          membership: false,
          settings: { closeMs: 1000, writeWindowBytes: WINDOW_BYTES },
        }),
      );
    }
    const receiving = buses.slice(0, receivers);
    const counters = receiving.map((bus, index) => new Receiver(bus, index));
    await Promise.all(receiving.map((bus) => bus.join(group)));
    const begunMs = performance.now();
    const progress = json ? undefined : showProgress(run, counters, options);
    try {
      await Promise.all([
        ...buses.slice(0, senders).map((bus, index) => send(bus, index, options, run)),
        ...counters.map((counter) => counter.receive(run.id, senders * messages, latency)),
      ]);
    } finally {
      progress?.[Symbol.dispose]();
    }
    const ms = (percentile: number): number => latency.percentile(percentile) / 1e6;
    return (json ? floodJson : floodText)({
      time: new Date(),
      options,
      seconds: (performance.now() - begunMs) / 1000,
      receivers: counters.map(({ session, messages, dropped, lastMs }) => ({
        session,
        messages,
        dropped,
        seconds: (lastMs - begunMs) / 1000,
      })),
      latencyMs: latency.count === 0 ? undefined : { p50: ms(50), p99: ms(99), max: latency.max / 1e6 },
    });
  } catch (error) {
    throw explained(error, target.urls);
  } finally {
    await close();
  }
}

/** A line on a terminal, which is gone when it ends. */
function showProgress(
  run: Run,
  receivers: readonly Receiver[],
  { senders, messages }: FloodOptions,
): Disposable | undefined {
  const { stderr } = process;
  if (!stderr.isTTY) return undefined;
  const timer = setInterval(() => {
    const slowest = receivers.reduce(
      (least, receiver) => Math.min(least, receiver.messages),
      Number.POSITIVE_INFINITY,
    );
    const received = receivers.length === 0 ? '' : `, ${slowest} received`;
    stderr.write(`\r\x1b[K${run.sent} of ${senders * messages} sent${received}`);
  }, PROGRESS_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      stderr.write('\r\x1b[K');
    },
  };
}
