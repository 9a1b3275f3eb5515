import { UNIT_BYTES } from '../limits.ts';

/** A piece that is being filled, and who sent which part of it. */
export interface Filling<Sender> {
  readonly bytes: Buffer;
  readonly senders: (Sender | undefined)[];
}

/** Finds out who sent wrong bytes in a piece that several peers have filled. */
export interface Evidence<Sender> {
  /** A piece that proved wrong. Returns who is guilty, if that is sure already. */
  wrong(piece: number, filling: Filling<Sender>): Sender[];
  /** The same piece, right this time. */
  right(piece: number, bytes: Buffer): Sender[];
}

/** Wrong pieces that are kept; for more, nobody is found. */
const PIECES_MAX = 4;

export function createEvidence<Sender>(): Evidence<Sender> {
  const kept = new Map<number, Filling<Sender>>();
  return {
    wrong(piece, filling) {
      const senders = new Set(filling.senders);
      senders.delete(undefined);
      if (senders.size === 1) return [...senders] as Sender[];
      if (kept.size < PIECES_MAX) kept.set(piece, filling);
      return [];
    },
    right(piece, bytes) {
      const filling = kept.get(piece);
      if (filling === undefined) return [];
      kept.delete(piece);
      const guilty = new Set<Sender>();
      filling.senders.forEach((sender, unit) => {
        const [from, to] = [unit * UNIT_BYTES, (unit + 1) * UNIT_BYTES];
        if (sender !== undefined && !filling.bytes.subarray(from, to).equals(bytes.subarray(from, to))) {
          guilty.add(sender);
        }
      });
      return [...guilty];
    },
  };
}
