/** A queue's figures. */
import { displayName } from '../names.ts';
import type { Figures } from './questions/management.ts';

export interface QueueStats {
  readonly name: string;
  /** Waiting or open. */
  readonly messages: number;
  /** Of their bodies. */
  readonly bytes: number;
  /** Of the oldest one in memory; 0 if that is none. */
  readonly ageMs: number;
  readonly openReads: number;
  readonly waitingReads: number;
  readonly putTotal: number;
  readonly expiredTotal: number;
  readonly discardedTotal: number;
  readonly refusedTotal: number;
  readonly openedTotal: number;
  readonly abortedTotal: number;
  /** All that the server tells, under its own names. */
  readonly figures: Figures;
}

/** `key`: the queue's name as the wire has it. */
export function queueStatsOf(key: string, figures: Figures): QueueStats {
  const figure = (name: string): number => Number(figures.get(name) ?? 0);
  return {
    name: displayName(key),
    messages: figure('items'),
    bytes: figure('bytes'),
    ageMs: figure('age'),
    openReads: figure('open_transactions'),
    waitingReads: figure('waiters'),
    putTotal: figure('total_items'),
    expiredTotal: figure('expired_items'),
    discardedTotal: figure('discarded'),
    refusedTotal: figure('refused_items'),
    openedTotal: figure('transactions'),
    abortedTotal: figure('canceled_transactions'),
    figures,
  };
}
