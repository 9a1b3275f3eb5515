import { isIPv6 } from 'node:net';
import { type Rate, rateOf } from './rate.ts';

/** Of one client; 0: no limit. */
export interface ClientLimits {
  readonly maxClientConnections: number;
  readonly maxClientRequestsPerSecond: number;
  readonly maxClientBytesPerSecond: number;
}

/** All connections of one user, or, where nobody is asked, of one address. */
export interface Client {
  readonly key: string;
  /** Whether there is a limit at all. */
  readonly hasRates: boolean;
  /** Undefined where there is no limit. */
  readonly requests: Rate | undefined;
  readonly bytes: Rate | undefined;
}

interface Entry extends Client {
  connections: number;
  hasRates: boolean;
  requests: Rate | undefined;
  bytes: Rate | undefined;
}

/** Who is connected, and who was a moment ago and would else begin with full buckets. Pure. */
export interface Clients {
  /** Other limits, from now on. */
  change(limits: ClientLimits, now: number): void;
  /** Undefined when it has as many connections as it may. */
  enter(key: string, now: number): Client | undefined;
  leave(client: Client, now: number): void;
  /** Remembered, connected or not. */
  readonly size: number;
  /** Connections refused because their client had as many as it may. */
  readonly refused: number;
}

const none = Number.POSITIVE_INFINITY;
/** Clients that have gone and are still in debt. */
const goneMax = 10_000;

export function createClients(first: ClientLimits): Clients {
  let limits = first;
  let refused = 0;
  const entries = new Map<string, Entry>();
  /** In order of their going. */
  const gone = new Map<string, Entry>();

  function apply(entry: Entry, now: number): void {
    entry.requests = rateOf(limits.maxClientRequestsPerSecond || none, entry.requests, now);
    entry.bytes = rateOf(limits.maxClientBytesPerSecond || none, entry.bytes, now);
    entry.hasRates = entry.requests !== undefined || entry.bytes !== undefined;
  }

  function hasDebt({ requests, bytes }: Entry, now: number): boolean {
    return requests?.isFull(now) === false || bytes?.isFull(now) === false;
  }

  return {
    change(changed, now) {
      limits = changed;
      for (const entry of [...entries.values(), ...gone.values()]) apply(entry, now);
    },
    enter(key, now) {
      let entry = entries.get(key) ?? gone.get(key);
      if ((entry?.connections ?? 0) >= (limits.maxClientConnections || none)) {
        refused += 1;
        return undefined;
      }
      entry ??= { key, connections: 0, hasRates: false, requests: undefined, bytes: undefined };
      apply(entry, now);
      gone.delete(key);
      entries.set(key, entry);
      entry.connections += 1;
      return entry;
    },
    leave({ key }, now) {
      const entry = entries.get(key);
      if (entry === undefined) return;
      entry.connections -= 1;
      if (entry.connections > 0) return;
      entries.delete(key);
      // The oldest have had the most time to fill again.
      for (const [old, other] of gone) {
        if (hasDebt(other, now) && gone.size < goneMax) break;
        gone.delete(old);
      }
      if (hasDebt(entry, now)) gone.set(key, entry);
    },
    get size() {
      return entries.size + gone.size;
    },
    get refused() {
      return refused;
    },
  };
}

/** Of IPv6 the /64: within it one machine has as many addresses as it likes. */
export function clientKeyOf(address: string | undefined): string {
  if (address === undefined) return 'local';
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return `${[...before, ...middle, ...after].slice(0, 4).join(':')}::/64`;
}
