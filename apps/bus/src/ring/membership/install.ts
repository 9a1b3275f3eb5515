/** Installing a ring: what the old one owes is delivered, around the transitional configuration. */
import type { DataPacket } from '@rookery/protocol/bus';
import type { Core, Recovery } from '../core.ts';
import { deliverPacket, deliverReady } from '../delivery.ts';
import type { Configuration } from '../types.ts';
import { armPresence, noteMerge } from './strangers.ts';

export function install(core: Core): void {
  const { installed: old, current: ring } = core;
  const recovery = core.recovery as Recovery;
  if (core.configuration !== undefined) finishOld(core, recovery, core.configuration);
  core.reassembly.clear();
  core.queue.restart();

  core.state = 'operational';
  core.recovery = undefined;
  core.forming = undefined;
  core.installed = ring;
  core.stats.installed++;
  core.configuration = {
    kind: 'regular',
    ring: ring.id,
    previous: core.configuration === undefined ? undefined : old.id,
    members: ring.members,
  };
  core.outputs.push({ kind: 'configuration', configuration: core.configuration });
  // Recovery's own packets are not for delivery. What others sent after them, because they installed first, is.
  ring.window.delivered = recovery.lastSequence;
  deliverReady(core);
  noteMerge(core, old.members, ring.members);
  core.processes = new Set(ring.members);
  core.failed = new Set();
  armPresence(core);
}

/** Steps 1 to 3 of docs/internals/ring.md, "Installing". */
function finishOld(core: Core, recovery: Recovery, configuration: Configuration): void {
  const { window, id } = core.installed;
  for (;;) {
    const packet = window.get(window.delivered + 1);
    if (packet === undefined || (packet.safe && packet.sequence > recovery.deliveredByAny)) break;
    window.delivered++;
    deliverPacket(core, packet, configuration);
  }
  const transitional: Configuration = {
    kind: 'transitional',
    ring: core.current.id,
    previous: id,
    members: recovery.companions,
  };
  core.outputs.push({ kind: 'configuration', configuration: transitional });
  deliverRest(core, recovery, transitional);
}

/** After a hole, what depends on what is missing must not be delivered: only what companions and obligations sent can't. */
function deliverRest(core: Core, recovery: Recovery, transitional: Configuration): void {
  const { window } = core.installed;
  let hole = false;
  for (let sequence = window.delivered + 1; sequence <= window.high; sequence++) {
    const packet: DataPacket | undefined = window.get(sequence);
    if (packet === undefined) {
      hole = true;
    } else if (!packet.recovered && (!hole || recovery.obligations.has(packet.sender))) {
      deliverPacket(core, packet, transitional);
    }
  }
  window.delivered = window.high;
}
