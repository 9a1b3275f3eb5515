/** How many packets a member may multicast at this visit of the token. */
import type { Token } from '@rookery/protocol/bus';
import type { RingState } from './core.ts';
import type { RingSettings } from './settings.ts';

/**
 * `waiting`: packets that this member would like to send. `spent`: what it has just sent again.
 *
 * The window is for a rotation: what the others sent in it (the token's count less my own last share) counts. When
 * all together want more than the window, each gets its share by what waits. At least one, so that nobody starves.
 */
export function allowance(
  settings: RingSettings,
  ring: RingState,
  token: Token,
  waiting: number,
  spent: number,
): number {
  const { windowPackets, visitPackets, spanPackets, sequenceMax } = settings;
  const others = Math.max(0, token.flow - ring.flow);
  let allowed = Math.min(visitPackets, windowPackets - others);
  const wanted = Math.max(0, token.backlog - ring.backlog) + waiting;
  if (wanted > windowPackets) {
    allowed = Math.min(allowed, Math.max(1, Math.floor((windowPackets * waiting) / wanted)));
  }
  allowed = Math.max(1, allowed - spent);
  // Hard bounds, of everybody's memory and of the numbers.
  return Math.max(
    0,
    Math.min(allowed, token.aru + spanPackets - token.sequence, sequenceMax - token.sequence),
  );
}
