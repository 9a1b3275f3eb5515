/** Gather: who is there, and who of them has failed, until all that have not failed say the same. */
import { type Join, LIMITS, PacketType } from '@rookery/protocol/bus';
import type { Core } from '../core.ts';
import { multicastControl, wentOn } from '../send.ts';
import { startCommit, storeUpTo } from './commit.ts';
import { addAll, ascending, equals, includesAll } from './sets.ts';
import { isLeftAlone, onStrangersJoin } from './strangers.ts';

/** No ring is so much ahead of what this process knows: one broken number must not use up those of all. */
const SEQUENCE_JUMP_MAX = 2 ** 40;

/** Leaves the ring, or the attempt at one. `strangers` are to be in the next, `failed` are not. */
export function enterGather(
  core: Core,
  strangers: readonly number[] = [],
  failed: readonly number[] = [],
): void {
  const { deadlines } = core;
  if (core.state === 'operational' || core.state === 'starting') {
    core.processes = new Set(core.installed.members);
    core.failed = new Set();
  }
  if (core.state !== 'gather') core.stats.gathers++;
  core.state = 'gather';
  core.current = core.installed;
  core.recovery = undefined;
  core.forming = undefined;
  core.held = undefined;
  core.hurryCame = false;
  core.tokenFirst = true;
  core.looped.length = 0;
  wentOn(core);
  deadlines.tokenLoss = Number.POSITIVE_INFINITY;
  deadlines.commitLoss = Number.POSITIVE_INFINITY;
  deadlines.hold = Number.POSITIVE_INFINITY;
  deadlines.hurry = Number.POSITIVE_INFINITY;
  deadlines.presence = Number.POSITIVE_INFINITY;
  addProcesses(core, strangers);
  addFailed(core, failed);
  changed(core);
}

/** What I say is new: everybody has to agree again. */
function changed(core: Core): void {
  core.agreed = new Set([core.id]);
  core.deadlines.consensus = core.now + core.settings.consensusMs;
  // What the next ring will need, while the others are still being asked: all disks work at the same time.
  storeUpTo(core, core.knownSequence + 1);
  sendJoin(core);
  checkConsensus(core);
}

export function sendJoin(core: Core): void {
  core.deadlines.join = core.now + core.settings.joinMs;
  if (core.processes.size === 1) return;
  core.serial++;
  multicastControl(core, {
    type: PacketType.join,
    sender: core.id,
    ring: core.installed.id,
    incarnation: core.incarnation,
    serial: core.serial,
    usedSequence: core.usedSequence,
    processes: ascending(core.processes),
    failed: ascending(core.failed),
  });
}

export function onJoin(core: Core, join: Join): void {
  if (!core.peers.isNew(join.sender, join.incarnation, join.serial, core.now)) return;
  if (join.usedSequence > core.knownSequence + SEQUENCE_JUMP_MAX) return;
  core.knownSequence = Math.max(core.knownSequence, join.usedSequence);
  switch (core.state) {
    case 'starting':
      return;
    case 'gather':
      consider(core, join);
      return;
    case 'commit':
    case 'recovery': {
      // Who is in this attempt has used its sequence: with a lower one the join is from before.
      const { forming } = core;
      if (forming === undefined || !forming.members.includes(join.sender)) return;
      if (join.usedSequence < forming.ring.sequence) return;
      break;
    }
    case 'operational': {
      // It may be from an attempt that is over: to take over its verdict on me would break up what came of it. Whoever
      // is still at it says it again.
      if (core.now < core.graceUntilMs) return;
      const { installed } = core;
      if (!installed.members.includes(join.sender)) {
        if (!onStrangersJoin(core, join)) return;
      } else if (join.usedSequence < installed.id.sequence) return;
      break;
    }
  }
  enterGather(core, core.installed.members.includes(join.sender) ? [] : [join.sender]);
  consider(core, join);
}

function consider(core: Core, join: Join): void {
  const { sender, processes, failed } = join;
  if (core.state !== 'gather' || core.failed.has(sender)) return;
  // A stranger who doesn't know of me may not hear me: presences will show.
  if (!core.processes.has(sender) && (!processes.includes(core.id) || isLeftAlone(core, sender))) return;
  if (failed.includes(core.id)) {
    // Who can't work with me can't be worked with.
    addProcesses(core, [sender]);
    if (addFailed(core, [sender])) changed(core);
    return;
  }
  if (!includesAll(core.processes, processes) || !includesAll(core.failed, failed)) {
    const more = addProcesses(core, processes);
    if (addFailed(core, failed) || more) changed(core);
    // Still in gather? What I now say may need nobody else.
    if (core.state !== 'gather') return;
  }
  if (equals(core.processes, processes) && equals(core.failed, failed)) {
    core.agreed.add(sender);
    checkConsensus(core);
  }
}

function addProcesses(core: Core, ids: readonly number[]): boolean {
  const room = ids.filter((id) => !core.processes.has(id)).slice(0, LIMITS.members - core.processes.size);
  return addAll(core.processes, room);
}

function addFailed(core: Core, ids: readonly number[]): boolean {
  return addAll(
    core.failed,
    ids.filter((id) => id !== core.id && core.processes.has(id)),
  );
}

/** Who would be in the ring. */
export function candidates(core: Core): number[] {
  return ascending(core.processes).filter((id) => !core.failed.has(id));
}

function checkConsensus(core: Core): void {
  const members = candidates(core);
  if (members[0] === core.id && members.every((id) => core.agreed.has(id))) startCommit(core, members);
}

/** Who has not agreed by now has failed. */
export function consensusMissed(core: Core): void {
  const silent = candidates(core).filter((id) => !core.agreed.has(id));
  // All agreed, but no commit token came: then the representative has to show that it is there.
  addFailed(core, silent);
  changed(core);
}
