import type { Wire } from 'webtorrent';
import { SWARM_LIMITS } from '../limits.ts';

/** Peers that have done harm, by their ids, ports and addresses. */
export interface Bans {
  /** Returns its `host:port`. */
  add(wire: Wire): string;
  has(wire: Wire): boolean;
  /** @param address `host:port` */
  hasAddress(address: string): boolean;
}

/** So many bad peers at one address, and the address is bad. */
const BANS_OF_ADDRESS = 3;

export function createBans(): Bans {
  const banned = new Set<string>();
  const bansOfHost = new Map<string, number>();
  const hostOf = ({ remoteAddress = '' }: Wire): string => remoteAddress;
  const addressOf = (wire: Wire): string => `${wire.remoteAddress}:${wire.remotePort}`;
  return {
    add(wire) {
      const address = addressOf(wire);
      if (banned.size < SWARM_LIMITS.banned) {
        banned.add(wire.peerId);
        banned.add(address);
        bansOfHost.set(hostOf(wire), (bansOfHost.get(hostOf(wire)) ?? 0) + 1);
      }
      return address;
    },
    has: (wire) =>
      banned.has(wire.peerId) ||
      banned.has(addressOf(wire)) ||
      (bansOfHost.get(hostOf(wire)) ?? 0) >= BANS_OF_ADDRESS,
    hasAddress: (address) => banned.has(address),
  };
}
