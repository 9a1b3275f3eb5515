/** What happens when nothing does. */
import type { Core, Deadlines } from './core.ts';
import { consensusMissed, enterGather, sendJoin } from './membership/gather.ts';
import { sendPresence } from './membership/strangers.ts';
import { hurry, passAgain } from './send.ts';
import { releaseHeld } from './token.ts';

/** When `tick` has to be called next; Infinity: nothing is awaited. */
export function nextDeadline(deadlines: Deadlines): number {
  return Math.min(
    deadlines.tokenLoss,
    deadlines.again,
    deadlines.hold,
    deadlines.hurry,
    deadlines.join,
    deadlines.consensus,
    deadlines.commitLoss,
    deadlines.presence,
  );
}

/** This process was stopped for a while: first what waits in the socket, then judgement of others. */
export function forgiveStall(core: Core): void {
  const { deadlines, settings, now } = core;
  if (now - nextDeadline(deadlines) < settings.stallMs) return;
  const graceMs = now + settings.stallGraceMs;
  for (const name of ['tokenLoss', 'consensus', 'commitLoss'] as const) {
    deadlines[name] = Math.max(deadlines[name], graceMs);
  }
  core.graceUntilMs = graceMs;
}

export function runTimers(core: Core): void {
  const { deadlines, now } = core;
  if (deadlines.tokenLoss <= now || deadlines.commitLoss <= now) {
    enterGather(core);
    return;
  }
  if (deadlines.consensus <= now) consensusMissed(core);
  if (deadlines.join <= now) sendJoin(core);
  if (deadlines.hold <= now) releaseHeld(core);
  if (deadlines.again <= now) passAgain(core);
  if (deadlines.hurry <= now) hurry(core);
  if (deadlines.presence <= now) sendPresence(core);
}
