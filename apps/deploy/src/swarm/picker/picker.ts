import { UNIT_BYTES } from '../limits.ts';
import { createRarity } from './rarity.ts';

/** A part of a piece that one peer is asked for. */
export interface Block {
  readonly piece: number;
  readonly offset: number;
  readonly length: number;
}

/** A block that was asked for and is not here yet. */
export interface Request extends Block {
  readonly source: Source;
  readonly askedAt: number;
}

/** A peer as the picker sees it. */
export interface Source {
  readonly requests: ReadonlySet<Request>;
  has(piece: number): boolean;
}

export interface Received {
  /** The same bytes were asked of others, who need not send them any more. */
  readonly cancel: readonly Request[];
  /** Who sent the piece's bytes, if it is complete now. */
  readonly complete: readonly Source[] | undefined;
  /** Whether the bytes were new. */
  readonly fresh: boolean;
}

/**
 * Decides what is asked of whom: the rarest piece first, one peer for a piece as long as there are others to begin,
 * the same block of two peers only when nothing else is left (endgame). Pure; time and chance come from outside.
 */
export interface Picker {
  /** Pieces that are not here. */
  readonly missing: number;
  join(blockBytes: number): Source;
  /** A peer is gone: what was asked of it is free again. */
  leave(source: Source): void;
  setBlockBytes(source: Source, bytes: number): void;
  gained(source: Source, piece: number): void;
  dropped(source: Source, piece: number): void;
  /** Whether a peer has anything that is missing here. */
  wants(source: Source): boolean;
  /** The next block to ask a peer for, counted as asked. */
  next(source: Source, now: number): Request | undefined;
  received(request: Request): Received;
  /** A request that will not be answered. */
  lost(request: Request): void;
  /** A complete piece proved right, however it came. Its other requests are to be cancelled. */
  whole(piece: number): Request[];
  /** A complete piece proved wrong, or a piece that was here is not any more: all of it is missing. */
  broken(piece: number): void;
  /** How many other peers have a piece. */
  availability(piece: number): number;
  /** A missing piece for a source of another kind; those that nobody is sending come first. */
  neglected(skip: (piece: number) => boolean): number | undefined;
}

export interface PickerOptions {
  readonly pieceCount: number;
  readonly pieceBytes: (piece: number) => number;
  readonly has: (piece: number) => boolean;
  /** Pieces that are begun and not whole. At least two, whatever their size. */
  readonly fetchingBytes: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** Two peers at most send the same block: a third would cost more than it could win. */
const ASKED_MAX = 2;

interface PeerSource extends Source {
  readonly requests: Set<Request>;
  readonly pieces: Uint8Array;
  blockBytes: number;
  /** Pieces that it has, that are missing here and not begun. */
  fresh: number;
  /** Begun pieces that are its own to finish. */
  readonly own: Set<Begun>;
}

interface Begun {
  readonly piece: number;
  readonly bytes: number;
  readonly received: Uint8Array;
  /** How many peers were asked for each unit. */
  readonly asked: Uint8Array;
  /** Units that are not here. */
  left: number;
  /** Units that are neither here nor asked for. */
  free: number;
  owner: PeerSource | undefined;
  readonly senders: Set<PeerSource>;
  readonly requests: Set<Request>;
  /** After it proved wrong: from one peer only, so that it is known who sends wrong bytes. */
  readonly alone: boolean;
}

export function createPicker(options: PickerOptions): Picker {
  const { pieceCount, pieceBytes, random } = options;
  const missing = new Uint8Array(pieceCount);
  const rarity = createRarity(pieceCount, random);
  const begun = new Map<number, Begun>();
  const sources = new Set<PeerSource>();
  const suspicious = new Set<number>();
  let missingCount = 0;
  let begunBytes = 0;
  let freeUnits = 0;

  const shuffled = Uint32Array.from({ length: pieceCount }, (_, piece) => piece);
  for (let at = pieceCount - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [shuffled[at], shuffled[other]] = [shuffled[other]!, shuffled[at]!];
  }
  for (const piece of shuffled) {
    if (options.has(piece)) continue;
    missing[piece] = 1;
    missingCount++;
    rarity.add(piece);
  }

  const eachOwner = (piece: number, change: number): void => {
    for (const source of sources) if (source.pieces[piece] === 1) source.fresh += change;
  };

  const begin = (piece: number, owner: PeerSource): Begun => {
    const bytes = pieceBytes(piece);
    const units = Math.ceil(bytes / UNIT_BYTES);
    const one: Begun = {
      piece,
      bytes,
      received: new Uint8Array(units),
      asked: new Uint8Array(units),
      left: units,
      free: units,
      owner,
      senders: new Set(),
      requests: new Set(),
      alone: suspicious.has(piece),
    };
    rarity.remove(piece);
    eachOwner(piece, -1);
    begun.set(piece, one);
    owner.own.add(one);
    begunBytes += bytes;
    freeUnits += units;
    return one;
  };

  const ask = (one: Begun, source: PeerSource, first: number, units: number, now: number): Request => {
    for (let unit = first; unit < first + units; unit++) {
      if (one.asked[unit]!++ === 0) {
        one.free--;
        freeUnits--;
      }
    }
    const offset = first * UNIT_BYTES;
    const length = Math.min(units * UNIT_BYTES, one.bytes - offset);
    const request: Request = { source, piece: one.piece, offset, length, askedAt: now };
    one.requests.add(request);
    source.requests.add(request);
    return request;
  };

  /** The first free run of a piece, as long as the peer serves it at once. */
  const askFree = (one: Begun, source: PeerSource, now: number): Request => {
    const isFree = (unit: number): boolean => one.received[unit] === 0 && one.asked[unit] === 0;
    let first = 0;
    while (!isFree(first)) first++;
    let units = 1;
    const most = Math.max(1, Math.floor(source.blockBytes / UNIT_BYTES));
    while (units < most && first + units < one.asked.length && isFree(first + units)) units++;
    return ask(one, source, first, units, now);
  };

  const adopt = (one: Begun, owner: PeerSource): void => {
    one.owner = owner;
    owner.own.add(one);
  };

  const findFree = (source: PeerSource, accept: (one: Begun) => boolean): Begun | undefined => {
    if (freeUnits === 0) return undefined;
    for (const one of begun.values()) {
      if (one.free > 0 && source.pieces[one.piece] === 1 && accept(one)) return one;
    }
    return undefined;
  };

  /** Somebody else's request that has waited for longest. */
  const findSlow = (source: PeerSource): Request | undefined => {
    let slowest: Request | undefined;
    for (const one of begun.values()) {
      if (source.pieces[one.piece] !== 1 || one.alone) continue;
      for (const request of one.requests) {
        const unit = request.offset / UNIT_BYTES;
        if (request.source === source || one.asked[unit]! >= ASKED_MAX || one.received[unit] === 1) continue;
        if (request.length > source.blockBytes) continue;
        if (slowest === undefined || request.askedAt < slowest.askedAt) slowest = request;
      }
    }
    return slowest;
  };

  const drop = (request: Request): void => {
    const source = request.source as PeerSource;
    source.requests.delete(request);
    const one = begun.get(request.piece);
    if (one === undefined || !one.requests.delete(request)) return;
    for (const unit of unitsOf(request)) {
      if (--one.asked[unit]! === 0 && one.received[unit] === 0) {
        one.free++;
        freeUnits++;
      }
    }
  };

  /** Gives back the requests that were still open. */
  const forget = (one: Begun): Request[] => {
    const open = [...one.requests];
    for (const request of open) drop(request);
    begun.delete(one.piece);
    one.owner?.own.delete(one);
    begunBytes -= one.bytes;
    freeUnits -= one.free;
    return open;
  };

  const startOver = (one: Begun): void => {
    forget(one);
    rarity.add(one.piece);
    eachOwner(one.piece, 1);
  };

  return {
    get missing() {
      return missingCount;
    },
    join(blockBytes) {
      const pieces = new Uint8Array(pieceCount);
      const source: PeerSource = {
        requests: new Set(),
        pieces,
        blockBytes,
        fresh: 0,
        own: new Set(),
        has: (piece) => pieces[piece] === 1,
      };
      sources.add(source);
      return source;
    },
    leave(given) {
      const source = given as PeerSource;
      for (const request of [...source.requests]) drop(request);
      for (const one of [...source.own]) {
        if (one.alone) startOver(one);
        else one.owner = undefined;
      }
      for (let piece = 0; piece < pieceCount; piece++) if (source.pieces[piece] === 1) rarity.lower(piece);
      sources.delete(source);
    },
    setBlockBytes(given, bytes) {
      (given as PeerSource).blockBytes = bytes;
    },
    gained(given, piece) {
      const source = given as PeerSource;
      if (source.pieces[piece] === 1) return;
      source.pieces[piece] = 1;
      rarity.raise(piece);
      if (missing[piece] === 1 && !begun.has(piece)) source.fresh++;
    },
    dropped(given, piece) {
      const source = given as PeerSource;
      if (source.pieces[piece] === 0) return;
      source.pieces[piece] = 0;
      rarity.lower(piece);
      if (missing[piece] === 1 && !begun.has(piece)) source.fresh--;
    },
    wants(given) {
      const source = given as PeerSource;
      if (source.fresh > 0) return true;
      for (const piece of begun.keys()) if (source.pieces[piece] === 1) return true;
      return false;
    },
    next(given, now) {
      const source = given as PeerSource;
      for (const one of source.own) if (one.free > 0) return askFree(one, source, now);
      const orphan = findFree(source, ({ owner }) => owner === undefined);
      if (orphan !== undefined) {
        adopt(orphan, source);
        return askFree(orphan, source, now);
      }
      if (source.fresh > 0) {
        const piece = rarity.rarest((candidate) => source.pieces[candidate] === 1);
        if (
          piece !== undefined &&
          (begun.size < 2 || begunBytes + pieceBytes(piece) <= options.fetchingBytes)
        ) {
          return askFree(begin(piece, source), source, now);
        }
      }
      const shared = findFree(source, ({ alone }) => !alone);
      if (shared !== undefined) return askFree(shared, source, now);
      // Endgame: only when every missing byte was asked of somebody, and only by who has nothing else to do.
      if (rarity.size > 0 || freeUnits > 0 || source.requests.size > 0) return undefined;
      const slow = findSlow(source);
      if (slow === undefined) return undefined;
      const one = begun.get(slow.piece)!;
      const [first] = unitsOf(slow);
      return ask(one, source, first!, Math.ceil(slow.length / UNIT_BYTES), now);
    },
    received(request) {
      const one = begun.get(request.piece);
      const source = request.source as PeerSource;
      source.requests.delete(request);
      if (one === undefined || !one.requests.delete(request))
        return { cancel: [], complete: undefined, fresh: false };
      let fresh = false;
      for (const unit of unitsOf(request)) {
        one.asked[unit]!--;
        if (one.received[unit] === 1) continue;
        one.received[unit] = 1;
        one.left--;
        fresh = true;
      }
      if (fresh) one.senders.add(source);
      const isHere = (other: Request): boolean => unitsOf(other).every((unit) => one.received[unit] === 1);
      const cancel = [...one.requests].filter(isHere);
      for (const other of cancel) drop(other);
      return { cancel, fresh, complete: one.left === 0 ? [...one.senders] : undefined };
    },
    lost(request) {
      drop(request);
      const one = begun.get(request.piece);
      // Not to be finished by another: it must come from one peer.
      if (one?.alone === true) startOver(one);
    },
    whole(piece) {
      if (missing[piece] === 0) return [];
      missing[piece] = 0;
      missingCount--;
      suspicious.delete(piece);
      const one = begun.get(piece);
      if (one === undefined) {
        rarity.remove(piece);
        eachOwner(piece, -1);
        return [];
      }
      return forget(one);
    },
    broken(piece) {
      const one = begun.get(piece);
      if (one !== undefined) {
        suspicious.add(piece);
        forget(one);
      } else if (missing[piece] === 1) return;
      else {
        missing[piece] = 1;
        missingCount++;
      }
      rarity.add(piece);
      eachOwner(piece, 1);
    },
    availability: (piece) => rarity.count(piece),
    neglected(skip) {
      let candidate: number | undefined;
      let requests = Infinity;
      for (let piece = 0; piece < pieceCount && requests > 0; piece++) {
        if (missing[piece] === 0 || skip(piece)) continue;
        const one = begun.get(piece);
        // Complete, and being written.
        if (one?.left === 0) continue;
        const asked = one?.requests.size ?? 0;
        if (asked < requests) {
          candidate = piece;
          requests = asked;
        }
      }
      return candidate;
    },
  };
}

function unitsOf({ offset, length }: Block): number[] {
  const units: number[] = [];
  for (let at = offset; at < offset + length; at += UNIT_BYTES) units.push(at / UNIT_BYTES);
  return units;
}
