/** A session was lost with what it had not confirmed: what the next one is asked first, and who is told what. */
import { BusError } from './errors.ts';
import type { Readers } from './readers.ts';
import type { Request, Requests, Settle } from './requests.ts';

/**
 * All groups are joined again first, and then subscribed to behind what was read; of what was asked and not confirmed
 * only joins, leaves and subscriptions are certain.
 *
 * @param next the next session's, still empty
 * @param abandoned the lost session's, in their order
 */
export function startOver(
  next: Requests,
  abandoned: readonly Request[],
  readers: Readers,
  reason: string,
): void {
  const joins = new Map<string, Settle | undefined>();
  const subscriptions = new Map<string, Settle | undefined>();
  for (const { asked, settle } of abandoned) {
    if (asked instanceof Uint8Array) continue;
    if (asked.kind === 'join' && readers.groups.has(asked.group)) joins.set(asked.group, settle);
    if (asked.kind === 'subscribe') subscriptions.set(asked.group, settle);
  }
  for (const [group, reader] of readers.groups) {
    const onRefused: Settle = (error) => error !== undefined && readers.forget(group, reader, error);
    next.add({ kind: 'join', group }, joins.get(group) ?? onRefused);
  }
  for (const state of readers.subscriptions.values()) {
    const onRefused: Settle = (error) => error !== undefined && readers.unsubscribe(state, error);
    state.number = next.add(state.request(), subscriptions.get(state.group) ?? onRefused);
  }
  const lost = new BusError(
    'SESSION_LOST',
    `the session ended, and this may have been done or not: ${reason}`,
  );
  for (const { asked, settle } of abandoned) {
    if (asked instanceof Uint8Array) settle?.(lost);
    else if (asked.kind === 'subscribe') continue;
    else if (asked.kind !== 'join' || settle !== joins.get(asked.group)) settle?.();
  }
}
