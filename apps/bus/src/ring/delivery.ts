/** What may be delivered, in the order of the ring. */
import type { DataPacket } from '@rookery/protocol/bus';
import type { Core } from './core.ts';
import type { Configuration } from './types.ts';

/** More than a packet has bytes. */
const PLACES_PER_PACKET = 65_536;

// hot: after each packet and each visit.
/** Operational: all that came without a hole, up to the first packet that has to be safe and isn't yet. */
export function deliverReady(core: Core): void {
  const { window } = core.installed;
  const configuration = core.configuration as Configuration;
  while (window.delivered < window.aru) {
    const packet = window.get(window.delivered + 1) as DataPacket;
    if (packet.safe && packet.sequence > window.safeTo) return;
    window.delivered++;
    deliverPacket(core, packet, configuration);
  }
}

export function deliverPacket(core: Core, packet: DataPacket, configuration: Configuration): void {
  core.reassembly.read(packet, (sender, service, payload, at) => {
    const order = packet.sequence * PLACES_PER_PACKET + at;
    core.outputs.push({ kind: 'deliver', sender, service, order, payload, configuration });
  });
}
