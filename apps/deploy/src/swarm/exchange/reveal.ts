import { createWindow } from './window.ts';

/**
 * Super-seeding (BEP 16): an origin that has everything says that it has nothing, and tells each peer of a few pieces
 * at a time, those that the fewest others have. So it sends each piece once, and peers have something for each other
 * from the first moment on. It ends when the peers have a whole copy between them. Pure.
 */
export interface Reveal {
  readonly ended: boolean;
  /** Whether the peers have a whole copy between them. */
  readonly copied: boolean;
  join(): Audience;
  leave(audience: Audience): void;
  /** A peer has a piece now, whoever sent it. */
  gained(audience: Audience, piece: number, now: number): void;
  /** Whom to tell of which piece. */
  next(now: number): Telling[];
  /** Whether it is time to end it; asked now and then. After that all is told to everybody. */
  endIfDone(now: number): boolean;
}

export interface Telling {
  readonly audience: Audience;
  readonly piece: number;
}

/** A peer as super-seeding sees it. */
export interface Audience {
  /** When it was told of each piece that it doesn't have yet; the earliest first. */
  readonly told: Map<number, number>;
  readonly has: Uint8Array;
  readonly knows: Uint8Array;
  toldAt: number;
  /** Pieces that it had been told of. */
  fetched: number;
}

/** From telling until it is there and said, a piece passes four queues of 50 ms on full lines, and half of that is others'. */
const QUICK_MS = 600;
const SLOW_MS = 1_200;
/** Who hasn't fetched a piece for so long is slow: others don't wait for it. */
const LATE_MS = 3_000;
/** Pieces, before any was fetched. */
const TOLD_AT_FIRST = 3;
/** One peer that is alone for so long gets everything: there is nobody to share with. */
const ALONE_MS = 1_000;

export function createReveal(options: {
  readonly pieceCount: number;
  readonly pieceBytes: (piece: number) => number;
  readonly windowBytesMax: number;
  /** Two origins begin at different places, and so meet only when each piece was sent once. */
  readonly random: () => number;
}): Reveal {
  const { pieceCount, pieceBytes } = options;
  const copies = new Uint16Array(pieceCount);
  const pending = new Uint16Array(pieceCount);
  const audiences = new Set<Audience>();
  let withoutCopy = pieceCount;
  let cursor = Math.floor(options.random() * pieceCount);
  let ended = false;
  let aloneSince: number | undefined;

  const window = createWindow({
    leastBytes: TOLD_AT_FIRST * pieceBytes(0),
    mostBytes: Math.max(options.windowBytesMax, TOLD_AT_FIRST * pieceBytes(0)),
    quickMs: QUICK_MS,
    slowMs: SLOW_MS,
  });

  const forget = (audience: Audience, piece: number): number | undefined => {
    const at = audience.told.get(piece);
    if (audience.told.delete(piece)) pending[piece]!--;
    return at;
  };

  /** The piece with the fewest copies, then with the fewest that are on their way. */
  const choose = (audience: Audience): number | undefined => {
    let best: number | undefined;
    let bestWeight = Infinity;
    for (let step = 0; step < pieceCount && bestWeight > 0; step++) {
      const piece = (cursor + step) % pieceCount;
      if (audience.has[piece] === 1 || audience.knows[piece] === 1) continue;
      const weight = copies[piece]! * 0x1_0000 + pending[piece]!;
      if (weight < bestWeight) {
        best = piece;
        bestWeight = weight;
      }
    }
    if (bestWeight === 0) cursor = (best! + 1) % pieceCount;
    return best;
  };

  /** What is on its way to those who aren't slow. */
  const openBytes = (now: number): number => {
    let open = 0;
    for (const { told } of audiences) {
      for (const [piece, at] of told) if (now - at < LATE_MS) open += pieceBytes(piece);
    }
    return open;
  };

  /** Who doesn't take what it was told of keeps it from nobody. */
  const mayHaveMore = ({ told, fetched }: Audience, now: number): boolean => {
    const [first = now] = told.values();
    return now - first < LATE_MS && told.size < TOLD_AT_FIRST + fetched;
  };

  /** Who has the least on its way, and of these who has waited for longest. */
  const inTurn = (now: number, knowAll: ReadonlySet<Audience>): Audience | undefined => {
    let best: Audience | undefined;
    for (const one of audiences) {
      if (knowAll.has(one) || !mayHaveMore(one, now)) continue;
      const less = best === undefined ? -1 : one.told.size - best.told.size || one.toldAt - best.toldAt;
      if (less < 0) best = one;
    }
    return best;
  };

  return {
    get ended() {
      return ended;
    },
    get copied() {
      return withoutCopy === 0;
    },
    join() {
      const audience: Audience = {
        told: new Map(),
        has: new Uint8Array(pieceCount),
        knows: new Uint8Array(pieceCount),
        toldAt: 0,
        fetched: 0,
      };
      audiences.add(audience);
      return audience;
    },
    leave(audience) {
      for (const piece of [...audience.told.keys()]) forget(audience, piece);
      for (let piece = 0; piece < pieceCount; piece++) {
        if (audience.has[piece] === 1 && --copies[piece]! === 0) withoutCopy++;
      }
      audiences.delete(audience);
    },
    gained(audience, piece, now) {
      if (audience.has[piece] === 1) return;
      audience.has[piece] = 1;
      if (copies[piece]!++ === 0) withoutCopy--;
      const toldAt = forget(audience, piece);
      if (toldAt === undefined) return;
      audience.fetched++;
      window.answered(now - toldAt, pieceBytes(piece));
    },
    next(now) {
      const tellings: Telling[] = [];
      const knowAll = new Set<Audience>();
      let open = openBytes(now);
      for (;;) {
        const audience = inTurn(now, knowAll);
        if (audience === undefined || (audience.told.size > 0 && open >= window.bytes)) return tellings;
        const piece = choose(audience);
        if (piece === undefined) {
          knowAll.add(audience);
          continue;
        }
        audience.knows[piece] = 1;
        audience.told.set(piece, now);
        audience.toldAt = now;
        pending[piece]!++;
        open += pieceBytes(piece);
        tellings.push({ audience, piece });
      }
    },
    endIfDone(now) {
      if (audiences.size === 1) aloneSince ??= now;
      else aloneSince = undefined;
      const alone = aloneSince !== undefined && now - aloneSince >= ALONE_MS;
      if (withoutCopy === 0 || alone) ended = true;
      return ended;
    },
  };
}
