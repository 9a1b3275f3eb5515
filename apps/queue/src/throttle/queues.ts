import type { QueueSettings } from '../queue/settings.ts';
import { type Rate, rateOf } from './rate.ts';

/** What some queues limit. Pure. */
export interface QueueRates {
  readonly puts: Rate | undefined;
  readonly putBytes: Rate | undefined;
  readonly gets: Rate | undefined;
  readonly maxConnections: number;
  /** Those that have put to the queue or read from it, and are still there. */
  readonly sessions: Set<object>;
  /** Puts and reads told to come again. */
  refused: number;
}

/** Undefined where nothing is limited; what is known of before goes on. */
export function queueRatesOf(
  settings: QueueSettings,
  before: QueueRates | undefined,
  now: number,
): QueueRates | undefined {
  const { maxPutsPerSecond, maxPutBytesPerSecond, maxGetsPerSecond, maxConnections } = settings;
  const limits = [maxPutsPerSecond, maxPutBytesPerSecond, maxGetsPerSecond, maxConnections];
  if (limits.every((limit) => limit === Number.POSITIVE_INFINITY)) return undefined;
  return {
    puts: rateOf(maxPutsPerSecond, before?.puts, now),
    putBytes: rateOf(maxPutBytesPerSecond, before?.putBytes, now),
    gets: rateOf(maxGetsPerSecond, before?.gets, now),
    maxConnections,
    sessions: before?.sessions ?? new Set(),
    refused: before?.refused ?? 0,
  };
}
