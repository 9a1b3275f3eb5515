/**
 * Pieces in the order of how many peers have them. Gaining or losing a peer moves one piece between neighbouring
 * buckets of one array, so that nothing is ever sorted or rescanned.
 */
export interface Rarity {
  /** How many peers have the piece. */
  count(piece: number): number;
  raise(piece: number): void;
  lower(piece: number): void;
  /** Puts a piece among those that `rarest` chooses from. */
  add(piece: number): void;
  remove(piece: number): void;
  readonly size: number;
  /** The rarest piece that is acceptable and that somebody has; among equals a random one. */
  rarest(accept: (piece: number) => boolean): number | undefined;
}

/** @param random gives numbers from 0 to below 1 */
export function createRarity(pieceCount: number, random: () => number): Rarity {
  const counts = new Uint16Array(pieceCount);
  const order = new Uint32Array(pieceCount);
  const places = new Int32Array(pieceCount).fill(-1);
  /** Where the bucket of each count begins in `order`; the last one ends at `size`. */
  const starts: number[] = [0];
  let size = 0;

  const startOf = (count: number): number => starts[count] ?? size;
  const put = (piece: number, place: number): void => {
    order[place] = piece;
    places[piece] = place;
  };
  const swap = (a: number, b: number): void => {
    const [first, second] = [order[a]!, order[b]!];
    put(second, a);
    put(first, b);
  };
  /** Moves a piece across the border above its bucket. */
  const up = (piece: number, count: number): void => {
    while (starts.length <= count + 1) starts.push(size);
    swap(places[piece]!, starts[count + 1]! - 1);
    starts[count + 1]!--;
  };
  const down = (piece: number, count: number): void => {
    swap(places[piece]!, starts[count]!);
    starts[count]!++;
  };

  return {
    get size() {
      return size;
    },
    count: (piece) => counts[piece]!,
    raise(piece) {
      if (places[piece] !== -1) up(piece, counts[piece]!);
      counts[piece]!++;
    },
    lower(piece) {
      if (places[piece] !== -1) down(piece, counts[piece]!);
      counts[piece]!--;
    },
    add(piece) {
      if (places[piece] !== -1) return;
      put(piece, size++);
      // It stands in the last bucket: down to its own.
      while (starts.length <= counts[piece]!) starts.push(size - 1);
      for (let count = starts.length - 1; count > counts[piece]!; count--) down(piece, count);
    },
    remove(piece) {
      if (places[piece] === -1) return;
      for (let count = counts[piece]!; count < starts.length - 1; count++) up(piece, count);
      // Now in the last bucket.
      swap(places[piece]!, size - 1);
      size--;
      places[piece] = -1;
    },
    rarest(accept) {
      for (let count = 1; count < starts.length; count++) {
        const [from, to] = [startOf(count), startOf(count + 1)];
        const length = to - from;
        const first = Math.floor(random() * length);
        for (let step = 0; step < length; step++) {
          const piece = order[from + ((first + step) % length)]!;
          if (accept(piece)) return piece;
        }
      }
      return undefined;
    },
  };
}
