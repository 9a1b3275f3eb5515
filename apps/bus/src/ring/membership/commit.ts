/** Commit: a ring's name and what each member brings, told to all in two rotations of the commit token. */
import { type Commit, type CommitEntry, OBLIGATION_BYTES, PacketType } from '@rookery/protocol/bus';
import { type Core, type Forming, sameRing } from '../core.ts';
import { passOn, wentOn } from '../send.ts';
import { onToken } from '../token.ts';
import { candidates } from './gather.ts';
import { enterRecovery } from './recovery.ts';
import { equals } from './sets.ts';

/** This process is the representative of the ring to be. */
export function startCommit(core: Core, members: readonly number[]): void {
  const ring = { representative: core.id, sequence: Math.max(core.usedSequence, core.knownSequence) + 1 };
  const entries = members.map(emptyEntry);
  take(core, { type: PacketType.commit, sender: core.id, ring, hop: 0, members: entries });
}

export function onCommit(core: Core, commit: Commit): void {
  const { forming } = core;
  if (core.state === 'gather') {
    // A ring sequence that I took part in never comes again, not even if I forgot all else: see docs/internals/ring.md.
    const mine = commit.members.find((entry) => entry.id === core.id);
    if (mine === undefined || mine.filled || commit.ring.sequence <= core.usedSequence) return;
    if (
      !equals(
        new Set(candidates(core)),
        commit.members.map((entry) => entry.id),
      )
    )
      return;
    take(core, commit);
    return;
  }
  if (forming === undefined || !sameRing(commit.ring, forming.ring) || commit.hop <= forming.hop) return;
  if (core.state === 'commit' && forming.waiting === undefined) {
    if (!commit.members.every((entry) => entry.filled)) return;
    forming.hop = commit.hop;
    enterRecovery(core, commit);
    pass(core, commit, commit.members);
    core.deadlines.commitLoss = Number.POSITIVE_INFINITY;
    core.deadlines.tokenLoss =
      forming.members.length === 1 ? Number.POSITIVE_INFINITY : core.now + core.settings.tokenLossMs;
  } else if (
    core.state === 'recovery' &&
    forming.ring.representative === core.id &&
    core.current.tokenTaken < 0
  ) {
    // Twice around: all are in recovery. The first token.
    wentOn(core);
    onToken(core, {
      type: PacketType.token,
      sender: core.id,
      ring: forming.ring,
      tokenSequence: 0,
      sequence: 0,
      aru: 0,
      aruSetter: 0,
      flow: 0,
      backlog: 0,
      sent: 0,
      received: 0,
      requests: [],
    });
  }
}

function take(core: Core, commit: Commit): void {
  const { deadlines, settings } = core;
  core.state = 'commit';
  core.forming = {
    ring: commit.ring,
    members: commit.members.map((entry) => entry.id),
    hop: commit.hop,
    waiting: commit,
    entries: [],
  };
  core.usedSequence = commit.ring.sequence;
  core.knownSequence = Math.max(core.knownSequence, core.usedSequence);
  deadlines.join = Number.POSITIVE_INFINITY;
  deadlines.consensus = Number.POSITIVE_INFINITY;
  deadlines.commitLoss = core.now + settings.commitLossMs;
  storeUpTo(core, core.usedSequence);
  goOn(core);
}

/** Sees to it that this ring sequence will be on disk. */
export function storeUpTo(core: Core, sequence: number): void {
  if (sequence <= core.storingSequence) return;
  core.storingSequence = sequence + core.settings.ringSequenceBlock - 1;
  core.outputs.push({ kind: 'store', ringSequence: core.storingSequence });
}

/** The ring sequence is stored: now this process may be a member. */
export function goOn(core: Core): void {
  const { forming } = core;
  if (core.state !== 'commit' || forming?.waiting === undefined) return;
  if (core.usedSequence > core.storedSequence) return;
  const commit = forming.waiting;
  forming.waiting = undefined;
  pass(
    core,
    commit,
    commit.members.map((entry) => (entry.id === core.id ? myEntry(core) : entry)),
  );
}

function pass(core: Core, commit: Commit, members: readonly CommitEntry[]): void {
  const forming = core.forming as Forming;
  const index = forming.members.indexOf(core.id);
  const next = forming.members[(index + 1) % forming.members.length]!;
  const packet: Commit = { ...commit, sender: core.id, hop: commit.hop + 1, members };
  passOn(core, next, packet, core.settings.commitAgainMs);
}

function emptyEntry(id: number): CommitEntry {
  const ring = { representative: 0, sequence: 0 };
  const obligations = new Uint8Array(OBLIGATION_BYTES);
  return { id, filled: false, ring, aru: 0, high: 0, delivered: 0, obligations };
}

function myEntry(core: Core): CommitEntry {
  const { id: ring, window, members, obligations } = core.installed;
  const bits = new Uint8Array(OBLIGATION_BYTES);
  members.forEach((id, place) => {
    if (obligations.has(id)) bits[place >> 3]! |= 1 << (place & 7);
  });
  return {
    id: core.id,
    filled: true,
    ring,
    aru: window.aru,
    high: window.high,
    delivered: window.delivered,
    obligations: bits,
  };
}
