/** Recovery: on the new ring, those of one old ring give each other what they have of it. */
import {
  type Commit,
  type CommitEntry,
  type DataPacket,
  decodeRecovered,
  type Token,
  wrapRecovered,
} from '@rookery/protocol/bus';
import { type Core, createRingState, type Recovery, type RingState, sameRing } from '../core.ts';

export function enterRecovery(core: Core, commit: Commit): void {
  const { installed } = core;
  const members = commit.members.map((entry) => entry.id);
  const entries = commit.members.filter((entry) => sameRing(entry.ring, installed.id));
  core.state = 'recovery';
  core.current = createRingState(core.id, commit.ring, members, core.settings);
  core.recovery = {
    companions: entries.map((entry) => entry.id),
    toSend: entries.length === 1 ? [] : mySequences(core, entries),
    nextAt: 0,
    seen: new Set(),
    deliveredByAny: Math.max(...entries.map((entry) => entry.delivered)),
    obligations: united(installed, entries),
    saidSent: false,
    saidReceived: false,
    lastSequence: 0,
  };
}

/**
 * What some companion lacks lies above the lowest aru. Up to the highest aru one holder sends it; above, whoever has
 * it (and has not seen it go by when its turn comes).
 */
function mySequences(core: Core, entries: readonly CommitEntry[]): number[] {
  const { window } = core.installed;
  const lowest = Math.min(...entries.map((entry) => entry.aru));
  const highest = Math.max(...entries.map((entry) => entry.aru));
  const holder = entries.find((entry) => entry.aru === highest)!.id;
  const sequences: number[] = [];
  for (let sequence = lowest + 1; sequence <= window.high; sequence++) {
    if (sequence <= highest && holder !== core.id) continue;
    if (window.get(sequence) !== undefined) sequences.push(sequence);
  }
  return sequences;
}

/** The companions, and all that any of them has promised. */
function united(old: RingState, entries: readonly CommitEntry[]): Set<number> {
  const ids = new Set(entries.map((entry) => entry.id));
  old.members.forEach((id, place) => {
    if (entries.some((entry) => ((entry.obligations[place >> 3]! >> (place & 7)) & 1) === 1)) ids.add(id);
  });
  return ids;
}

/** Packets that wait to be sent again. */
export function waitingInRecovery(core: Core): number {
  const { toSend, nextAt } = core.recovery as Recovery;
  return toSend.length - nextAt;
}

export function nextRecovered(core: Core, sequence: number, round: number): DataPacket | undefined {
  const recovery = core.recovery as Recovery;
  while (recovery.nextAt < recovery.toSend.length) {
    const old = recovery.toSend[recovery.nextAt++]!;
    if (recovery.seen.has(old)) continue;
    const packet = core.installed.window.get(old) as DataPacket;
    return wrapRecovered(packet, core.id, core.current.id, sequence, round);
  }
  return undefined;
}

/** A packet of some old ring came, in one of the new ring. */
export function onRecovered(core: Core, packet: DataPacket): void {
  const old = decodeRecovered(packet);
  if (typeof old === 'string' || !sameRing(old.ring, core.installed.id)) return;
  core.recovery?.seen.add(old.sequence);
  core.installed.window.add(old);
}

/**
 * The token's two counts. Each member counts itself once in each: when it has sent all that it had; and, when all
 * have, once it has received all of it. From then on it is bound by the obligations, as others may install.
 */
export function countInRecovery(
  core: Core,
  token: Token,
  sequence: number,
): { readonly sent: number; readonly received: number } {
  const { recovery, current } = core;
  let { sent, received } = token;
  if (recovery === undefined) return { sent, received };
  if (!recovery.saidSent && recovery.nextAt === recovery.toSend.length) {
    recovery.saidSent = true;
    sent++;
  }
  if (!recovery.saidReceived && sent === current.members.length && current.window.aru >= sequence) {
    recovery.saidReceived = true;
    recovery.lastSequence = sequence;
    core.installed.obligations = recovery.obligations;
    received++;
  }
  return { sent, received };
}
