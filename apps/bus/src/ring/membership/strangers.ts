/** Rings that find each other, and strangers that are better left alone. */
import { type Join, LIMITS, PacketType, type Presence, type RingId } from '@rookery/protocol/bus';
import { type Core, sameRing } from '../core.ts';
import { multicastControl } from '../send.ts';
import { enterGather } from './gather.ts';

/** An answer to a stranger waits so long after the last presence, so that a busy stranger causes few of them. */
const ANSWER_MS = 20;
/** A stranger is named in presences for so many of their intervals. */
const NAMED_INTERVALS = 3;

/** Something of another ring was heard: let its sender know that it can be heard. */
export function onStranger(core: Core, sender: number, ring: RingId): void {
  if (core.state !== 'operational' || !isStranger(core, sender, ring) || isLeftAlone(core, sender)) return;
  core.peers.touch(sender).heardMs = core.now;
  if (core.now - core.lastPresenceMs >= ANSWER_MS) sendPresence(core);
  // Within the interval: the next one names it.
  else core.deadlines.presence = Math.min(core.deadlines.presence, core.lastPresenceMs + ANSWER_MS);
}

export function onPresence(core: Core, presence: Presence): void {
  const { sender, ring } = presence;
  if (!core.peers.isNew(sender, presence.incarnation, presence.serial, core.now)) return;
  if (core.state !== 'operational' || !isStranger(core, sender, ring) || isLeftAlone(core, sender)) return;
  if (presence.heard.includes(core.id)) enterGather(core, [sender]);
  else onStranger(core, sender, ring);
}

/** Whether to gather because of a stranger's join. */
export function onStrangersJoin(core: Core, join: Join): boolean {
  // It rules out me, or one who is here and well: from an attempt that began before. To follow would break this ring
  // for one without that member, who would then do the same in turn, forever. The stranger gives up soon, and then
  // presences bring all together.
  if (join.failed.some((id) => core.installed.members.includes(id))) return false;
  if (isLeftAlone(core, join.sender)) return false;
  if (join.processes.includes(core.id)) return true;
  onStranger(core, join.sender, join.ring);
  return false;
}

/** Not in my ring; or it was, and has gone on to another (what it sent before that is late). */
function isStranger(core: Core, sender: number, ring: RingId): boolean {
  const { installed } = core;
  if (sender === core.id || sameRing(ring, installed.id)) return false;
  return !installed.members.includes(sender) || ring.sequence > installed.id.sequence;
}

export function isLeftAlone(core: Core, id: number): boolean {
  const peer = core.peers.get(id);
  return peer !== undefined && core.now < peer.leftAloneUntilMs;
}

export function sendPresence(core: Core): void {
  const { settings } = core;
  core.lastPresenceMs = core.now;
  core.serial++;
  multicastControl(core, {
    type: PacketType.presence,
    sender: core.id,
    ring: core.installed.id,
    incarnation: core.incarnation,
    serial: core.serial,
    heard: core.peers.heardSince(core.now - NAMED_INTERVALS * settings.presenceMs, LIMITS.members),
  });
  armPresence(core);
}

/** Only the representative speaks unasked. */
export function armPresence(core: Core): void {
  const speaks = core.installed.id.representative === core.id;
  core.deadlines.presence = speaks ? core.now + core.settings.presenceMs : Number.POSITIVE_INFINITY;
}

/** A ring was installed: who was to be in it and isn't is left alone, longer each time; who is in it, no more. */
export function noteMerge(core: Core, before: readonly number[], members: readonly number[]): void {
  const { mergeBackoffMs, mergeBackoffMaxMs } = core.settings;
  for (const id of members) {
    const peer = core.peers.get(id);
    if (peer === undefined) continue;
    peer.heardMs = Number.NEGATIVE_INFINITY;
    peer.mergeFailures = 0;
  }
  for (const id of core.failed) {
    if (before.includes(id)) continue;
    const peer = core.peers.touch(id);
    peer.leftAloneUntilMs = core.now + Math.min(mergeBackoffMaxMs, mergeBackoffMs * 2 ** peer.mergeFailures);
    peer.mergeFailures = Math.min(peer.mergeFailures + 1, 16);
  }
}
