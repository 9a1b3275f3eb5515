/**
 * The one simulated network: datagrams between numbered hosts, with delay, loss, doubling, reordering, and a matrix
 * of who reaches whom, so that partitions may have any shape: one-way, overlapping, not transitive.
 */
import type { Random } from './random.ts';

/** What of a clock the network needs; `SimulatedClock` is one. */
export interface NetworkClock {
  readonly elapsedMs: number;
  schedule(run: () => void, delayMs: number): unknown;
}

export interface NetworkConditions {
  /** Bounds of the time that a datagram is under way. */
  readonly delayMs: readonly [number, number];
  /** The chance that a datagram is lost, for each receiver on its own. */
  readonly lossChance: number;
  readonly duplicateChance: number;
  /** The chance that a datagram is late by up to `reorderMs` and may be overtaken; the others keep their order. */
  readonly reorderChance: number;
  readonly reorderMs: number;
}

export interface SimulatedNetworkOptions extends Partial<NetworkConditions> {
  readonly clock: NetworkClock;
  readonly random: Random;
  /** Datagrams under way to one host, at most; further ones are lost, as in a full socket buffer. */
  readonly inFlightMax?: number;
}

type Receive = (bytes: Uint8Array, from: number) => void;

interface Host {
  readonly receive: Receive;
  inFlight: number;
}

export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
}

/**
 * Datagrams are not copied: who sends one must not write to it afterwards.
 *
 * @example
 * const network = new SimulatedNetwork({ clock, random, delayMs: [0.1, 0.5] });
 * network.attach(1, () => {});
 * network.attach(2, (bytes, from) => console.log(from, bytes));
 * network.send(1, 2, Buffer.from('hello'));
 * network.partition([[1], [2]]);
 */
export class SimulatedNetwork {
  readonly #clock: NetworkClock;
  readonly #random: Random;
  readonly #inFlightMax: number;
  readonly #hosts = new Map<number, Host>();
  /** Directed pairs that are cut. */
  readonly #cut = new Set<string>();
  /** When the last datagram of a pair that keeps its order arrives. */
  readonly #lastAt = new Map<string, number>();
  conditions: NetworkConditions;
  /** An adversary that looks into datagrams: true loses this one. */
  drops: ((from: number, to: number, bytes: Uint8Array) => boolean) | undefined;
  readonly counts: NetworkCounts = { sent: 0, delivered: 0, lost: 0 };

  constructor(options: SimulatedNetworkOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#inFlightMax = options.inFlightMax ?? 10_000;
    this.conditions = {
      delayMs: options.delayMs ?? [0.05, 0.2],
      lossChance: options.lossChance ?? 0,
      duplicateChance: options.duplicateChance ?? 0,
      reorderChance: options.reorderChance ?? 0,
      reorderMs: options.reorderMs ?? 5,
    };
  }

  /** A host with that number listens; one that did before is replaced, and what is under way to it is lost. */
  attach(id: number, receive: Receive): void {
    this.#hosts.set(id, { receive, inFlight: 0 });
  }

  detach(id: number): void {
    this.#hosts.delete(id);
  }

  send(from: number, to: number, bytes: Uint8Array): void {
    const host = this.#hosts.get(to);
    this.counts.sent++;
    const { conditions } = this;
    const isCut = host === undefined || this.#cut.has(pair(from, to));
    if (isCut || this.#random.chance(conditions.lossChance) || this.drops?.(from, to, bytes)) {
      this.counts.lost++;
      return;
    }
    this.#carry(host, from, to, bytes);
    if (conditions.duplicateChance > 0 && this.#random.chance(conditions.duplicateChance)) {
      this.#carry(host, from, to, bytes);
    }
  }

  /** To all hosts but the sender. */
  multicast(from: number, bytes: Uint8Array): void {
    for (const to of this.#hosts.keys()) if (to !== from) this.send(from, to, bytes);
  }

  /** Cuts or mends one direction between two hosts. What is under way still arrives. */
  setReachable(from: number, to: number, reachable: boolean): void {
    if (reachable) this.#cut.delete(pair(from, to));
    else this.#cut.add(pair(from, to));
  }

  /** Only hosts of one group reach each other, both ways. Groups may overlap; who is in none reaches nobody. */
  partition(groups: readonly (readonly number[])[]): void {
    for (const a of this.#hosts.keys()) {
      for (const b of this.#hosts.keys()) {
        if (a === b) continue;
        this.setReachable(
          a,
          b,
          groups.some((group) => group.includes(a) && group.includes(b)),
        );
      }
    }
  }

  /** Everybody reaches everybody. */
  heal(): void {
    this.#cut.clear();
  }

  #carry(host: Host, from: number, to: number, bytes: Uint8Array): void {
    if (host.inFlight >= this.#inFlightMax) {
      this.counts.lost++;
      return;
    }
    const { delayMs, reorderChance, reorderMs } = this.conditions;
    const nowMs = this.#clock.elapsedMs;
    let atMs = nowMs + delayMs[0] + this.#random.float() * (delayMs[1] - delayMs[0]);
    if (reorderChance > 0 && this.#random.chance(reorderChance)) {
      atMs += this.#random.float() * reorderMs;
    } else {
      const key = pair(from, to);
      atMs = Math.max(atMs, this.#lastAt.get(key) ?? 0);
      this.#lastAt.set(key, atMs);
    }
    host.inFlight++;
    this.#clock.schedule(() => {
      host.inFlight--;
      if (this.#hosts.get(to) !== host) return;
      this.counts.delivered++;
      host.receive(bytes, from);
    }, atMs - nowMs);
  }
}

function pair(from: number, to: number): string {
  return `${from}>${to}`;
}
