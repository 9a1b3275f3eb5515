/** What is remembered of other processes: how new their last join was, and, of strangers, when they were heard. */

/** Remembered at most; the one that was touched longest ago goes first. */
const PEERS_MAX = 256;
/** An earlier life of a process is disbelieved only so long: its host may have been set up anew, at zero. */
const INCARNATION_MS = 5_000;

export interface Peer {
  incarnation: number;
  serial: number;
  seenMs: number;
  /** When it was heard as a stranger; -Infinity: not. */
  heardMs: number;
  /** Gatherings with it in a row that left it out. */
  mergeFailures: number;
  leftAloneUntilMs: number;
}

export class Peers {
  readonly #peers = new Map<number, Peer>();

  get(id: number): Peer | undefined {
    return this.#peers.get(id);
  }

  touch(id: number): Peer {
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      peer = {
        incarnation: -1,
        serial: -1,
        seenMs: Number.NEGATIVE_INFINITY,
        heardMs: Number.NEGATIVE_INFINITY,
        mergeFailures: 0,
        leftAloneUntilMs: Number.NEGATIVE_INFINITY,
      };
    } else {
      this.#peers.delete(id);
    }
    this.#peers.set(id, peer);
    if (this.#peers.size > PEERS_MAX) this.#peers.delete(this.#peers.keys().next().value as number);
    return peer;
  }

  /** Whether a join or presence is newer than the last one of that process; remembers it. */
  isNew(id: number, incarnation: number, serial: number, now: number): boolean {
    const peer = this.touch(id);
    if (incarnation < peer.incarnation && now - peer.seenMs < INCARNATION_MS) return false;
    if (incarnation === peer.incarnation && serial <= peer.serial) return false;
    if (incarnation !== peer.incarnation) {
      peer.mergeFailures = 0;
      peer.leftAloneUntilMs = Number.NEGATIVE_INFINITY;
    }
    peer.incarnation = incarnation;
    peer.serial = serial;
    peer.seenMs = now;
    return true;
  }

  /** Strangers heard since `sinceMs`, ascending. */
  heardSince(sinceMs: number, max: number): number[] {
    const ids: number[] = [];
    for (const [id, peer] of this.#peers) if (peer.heardMs >= sinceMs && ids.length < max) ids.push(id);
    return ids.sort((a, b) => a - b);
  }
}
