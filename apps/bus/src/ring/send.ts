/** The one way out: what the shell must send. A ring of one sends to itself without a network. */
import {
  type Commit,
  type ControlPacket,
  type DataPacket,
  encodeControl,
  PacketType,
  type Token,
} from '@rookery/protocol/bus';
import type { Core } from './core.ts';

export function multicastData(core: Core, packet: DataPacket): void {
  core.stats.packetsSent++;
  core.outputs.push({ kind: 'multicast', bytes: packet.bytes });
}

export function multicastControl(core: Core, packet: ControlPacket): void {
  core.outputs.push({ kind: 'multicast', bytes: encodeControl(packet) });
}

/** Sends a token or commit token, and again each `everyMs` until `wentOn`. */
export function passOn(core: Core, to: number, packet: Token | Commit, everyMs: number): void {
  if (to === core.id) {
    core.looped.push(packet);
    return;
  }
  const bytes = encodeControl(packet);
  core.outputs.push({ kind: 'unicast', to, bytes });
  core.again = { to, bytes, everyMs };
  core.deadlines.again = core.now + everyMs;
}

/** Something showed that what was passed on has arrived, or it matters no more. */
export function wentOn(core: Core): void {
  core.again = undefined;
  core.deadlines.again = Number.POSITIVE_INFINITY;
}

export function passAgain(core: Core): void {
  const { again } = core;
  core.deadlines.again = Number.POSITIVE_INFINITY;
  if (again === undefined) return;
  core.outputs.push({ kind: 'unicast', to: again.to, bytes: again.bytes });
  core.deadlines.again = core.now + again.everyMs;
}

/** Asks the representative to let go of an idle token, once per visit, and again if nothing comes of it. */
export function hurry(core: Core): void {
  const { current } = core;
  core.deadlines.hurry = core.now + core.settings.tokenAgainMs;
  current.hurried = true;
  const bytes = encodeControl({ type: PacketType.hurry, sender: core.id, ring: current.id });
  core.outputs.push({ kind: 'unicast', to: current.id.representative, bytes });
}
