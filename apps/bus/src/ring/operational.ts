/** One visit of the token, and the packets that come between visits. In recovery too: only what is sent differs. */
import { type DataPacket, LIMITS, PacketType, sealData, type Token } from '@rookery/protocol/bus';
import { type Core, type RingState, sameRing } from './core.ts';
import { deliverReady } from './delivery.ts';
import { allowance } from './flow-control.ts';
import { enterGather } from './membership/gather.ts';
import { install } from './membership/install.ts';
import { countInRecovery, nextRecovered, onRecovered, waitingInRecovery } from './membership/recovery.ts';
import { onStranger } from './membership/strangers.ts';
import { multicastData, passOn, wentOn } from './send.ts';

/** A member that receives nothing is given this many rotations at least. */
const RECEIVE_FAILURE_VISITS = 50;
/** More requests than this are not answered at one visit, so that the token goes on. */
const ANSWERS_PER_VISIT = LIMITS.requests;

// hot: once per rotation and member.
export function visit(core: Core, token: Token): void {
  const { settings } = core;
  const ring = core.current;
  const { window } = ring;
  const round = token.tokenSequence + 1;
  ring.visits++;

  const requests: number[] = [];
  const answered = answer(core, ring, token, requests);
  const waiting = core.recovery === undefined ? core.queue.packets : waitingInRecovery(core);
  const sending = fill(
    core,
    ring,
    round,
    token.sequence,
    allowance(settings, ring, token, waiting, answered),
  );
  const sequence = token.sequence + sending.length;
  ask(window, ring.requestTo, requests, settings.requestsPerToken);
  ring.requestTo = sequence;

  let { aru, aruSetter } = token;
  if (window.aru < aru || aruSetter === core.id || aruSetter === 0) {
    aru = Math.min(window.aru, sequence);
    aruSetter = aru === sequence ? 0 : core.id;
  }
  // What I sent as everybody's at two visits in a row has been with everybody: who had less would have lowered it.
  window.safeTo = Math.max(window.safeTo, Math.min(aru, ring.aruSent));
  ring.aruSent = aru;

  const flow = answered + sending.length;
  const backlog = core.recovery === undefined ? core.queue.packets : waitingInRecovery(core);
  const counts = countInRecovery(core, token, sequence);
  const sent: Token = {
    type: PacketType.token,
    sender: core.id,
    ring: ring.id,
    tokenSequence: round,
    sequence,
    aru,
    aruSetter,
    flow: Math.max(0, token.flow - ring.flow) + flow,
    backlog: Math.max(0, token.backlog - ring.backlog) + backlog,
    sent: counts.sent,
    received: counts.received,
    requests,
  };
  ring.flow = flow;
  ring.backlog = backlog;
  ring.tokenSent = round;
  ring.idle = window.safeTo === sequence && sent.backlog === 0;
  ring.hurried = false;
  core.deadlines.hurry = Number.POSITIVE_INFINITY;

  // The order of the accelerated ring: the token leaves before the last packets, which it has numbered already.
  const before =
    core.recovery === undefined ? Math.max(0, sending.length - settings.acceleratedPackets) : sending.length;
  for (let i = 0; i < before; i++) multicastData(core, sending[i]!);
  passOn(core, ring.next, sent, ring.idle ? settings.tokenAgainMs + settings.holdMs : settings.tokenAgainMs);
  for (let i = before; i < sending.length; i++) multicastData(core, sending[i]!);

  if (core.recovery !== undefined) {
    // What was in them has been taken out when they came.
    window.forgetTo(Math.min(window.safeTo, window.aru));
    if (sent.received === ring.members.length) install(core);
    return;
  }
  deliverReady(core);
  window.forgetTo(Math.min(window.safeTo, window.delivered));
  const failed = cannotReceive(core, ring, sent);
  if (failed !== 0) enterGather(core, [], [failed]);
  else if (sequence > settings.sequenceMax - settings.spanPackets) enterGather(core);
}

/** Sends again what is asked for and held here; what is left of the requests goes into `rest`. */
function answer(core: Core, ring: RingState, token: Token, rest: number[]): number {
  let answered = 0;
  for (const sequence of token.requests) {
    // It came to everybody by other ways meanwhile, and nobody may hold it any more.
    if (sequence <= ring.window.safeTo) continue;
    const packet = answered < ANSWERS_PER_VISIT ? ring.window.answer(sequence, ring.visits) : undefined;
    if (packet === undefined) {
      rest.push(sequence);
      continue;
    }
    answered++;
    core.stats.retransmissions++;
    multicastData(core, packet);
  }
  return answered;
}

/** Numbers as many packets as allowed, and takes them in as received. */
function fill(core: Core, ring: RingState, round: number, after: number, allowed: number): DataPacket[] {
  const packets: DataPacket[] = [];
  for (let i = 1; i <= allowed; i++) {
    const packet =
      core.recovery === undefined
        ? nextPacked(core, ring, after + i, round)
        : nextRecovered(core, after + i, round);
    if (packet === undefined) break;
    ring.window.add(packet);
    packets.push(packet);
  }
  return packets;
}

function nextPacked(core: Core, ring: RingState, sequence: number, round: number): DataPacket | undefined {
  const packed = core.queue.pack();
  return packed && sealData(packed.bytes, core.id, ring.id, sequence, round, packed.safe);
}

/** Adds this member's holes to the requests. */
function ask(window: RingState['window'], to: number, requests: number[], max: number): void {
  for (let sequence = window.aru + 1; sequence <= to && requests.length < max; sequence++) {
    if (window.get(sequence) === undefined && !requests.includes(sequence)) requests.push(sequence);
  }
}

/** The member that has held up everybody's aru for too long, or 0. */
function cannotReceive(core: Core, ring: RingState, token: Token): number {
  const { aruSetter: setter, aru } = token;
  if (setter === 0 || setter === core.id || aru === token.sequence) {
    ring.stuck = undefined;
    return 0;
  }
  if (ring.stuck?.setter !== setter || ring.stuck.aru !== aru) {
    ring.stuck = { setter, aru, sinceMs: core.now, visits: 0 };
    return 0;
  }
  ring.stuck.visits++;
  const long = core.now - ring.stuck.sinceMs >= core.settings.receiveFailureMs;
  return long && ring.stuck.visits >= RECEIVE_FAILURE_VISITS ? setter : 0;
}

// hot: once per data packet received.
export function onData(core: Core, packet: DataPacket): void {
  const ring = core.current;
  if (!sameRing(packet.ring, ring.id)) {
    onStranger(core, packet.sender, packet.ring);
    return;
  }
  if (packet.sender === core.id || !ring.members.includes(packet.sender)) return;
  const { round } = packet;
  // Rounds are compared modulo 2^32. Later than the token that I sent on: it has arrived.
  const passes = core.state === 'operational' || core.state === 'recovery';
  if (passes && core.again !== undefined && ring.tokenSent >= 0 && isLater(round, ring.tokenSent))
    wentOn(core);
  if (packet.sender === ring.predecessor && isLater(round, ring.tokenTaken)) core.tokenFirst = true;
  if (!ring.window.add(packet)) return;
  core.stats.packetsReceived++;
  if (packet.recovered) {
    if (core.state === 'recovery') onRecovered(core, packet);
  } else if (core.state === 'operational') {
    deliverReady(core);
  }
}

function isLater(round: number, than: number): boolean {
  return ((round - than) | 0) > 0;
}
