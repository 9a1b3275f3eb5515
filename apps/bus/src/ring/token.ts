/** The token's way through this member: taken, held when idle, visited, lost. */
import type { Hurry, Token } from '@rookery/protocol/bus';
import { type Core, isRepresentative, sameRing } from './core.ts';
import { visit } from './operational.ts';
import { wentOn } from './send.ts';

export function onToken(core: Core, token: Token): void {
  const ring = core.current;
  if (core.state !== 'operational' && core.state !== 'recovery') return;
  if (!sameRing(token.ring, ring.id) || token.tokenSequence <= ring.tokenTaken) return;
  if (!ring.members.includes(token.sender)) return;
  ring.tokenTaken = token.tokenSequence;
  core.stats.tokens++;
  core.tokenFirst = false;
  wentOn(core);
  core.deadlines.tokenLoss =
    ring.members.length === 1 ? Number.POSITIVE_INFINITY : core.now + core.settings.tokenLossMs;
  if (mayHold(core, token)) {
    core.held = token;
    core.deadlines.hold =
      ring.members.length === 1 ? Number.POSITIVE_INFINITY : core.now + core.settings.holdMs;
    return;
  }
  visit(core, token);
}

/** Only when everybody is known to know that everything is safe, and nobody has said that he has something. */
function mayHold(core: Core, token: Token): boolean {
  const ring = core.current;
  if (core.state !== 'operational' || !isRepresentative(core)) return false;
  if (core.hurryCame) {
    core.hurryCame = false;
    return false;
  }
  return (
    core.queue.messages === 0 &&
    token.backlog === 0 &&
    token.requests.length === 0 &&
    token.aru === token.sequence &&
    ring.window.safeTo === token.sequence
  );
}

export function releaseHeld(core: Core): void {
  const { held } = core;
  if (held === undefined) return;
  core.held = undefined;
  core.deadlines.hold = Number.POSITIVE_INFINITY;
  visit(core, held);
}

export function onHurry(core: Core, packet: Hurry): void {
  if (core.state !== 'operational' || !sameRing(packet.ring, core.current.id)) return;
  if (!core.current.members.includes(packet.sender)) return;
  if (core.held !== undefined) releaseHeld(core);
  // It overtook the token: don't keep that one.
  else core.hurryCame = true;
}
