/** Sequences by the time when they are due: a binary heap, 16 bytes each. What is due at one time comes by sequence. */
export interface DueHeap {
  readonly size: number;
  /** When the first is due; Infinity if there is none. */
  readonly firstDueAt: number;
  push(dueAt: number, sequence: number): void;
  /** Takes the first away; returns its sequence. Only when there is one. */
  pop(): number;
  clear(): void;
}

const smallest = 64;

export function createDueHeap(): DueHeap {
  /** Pairs of time and sequence. */
  let pairs = new Float64Array(2 * smallest);
  let size = 0;

  const before = (left: number, right: number): boolean =>
    pairs[2 * left]! < pairs[2 * right]! ||
    (pairs[2 * left] === pairs[2 * right] && pairs[2 * left + 1]! < pairs[2 * right + 1]!);

  function swap(left: number, right: number): void {
    for (const field of [0, 1]) {
      const kept = pairs[2 * left + field]!;
      pairs[2 * left + field] = pairs[2 * right + field]!;
      pairs[2 * right + field] = kept;
    }
  }

  function resize(capacity: number): void {
    const resized = new Float64Array(2 * capacity);
    resized.set(pairs.subarray(0, 2 * size));
    pairs = resized;
  }

  return {
    get size() {
      return size;
    },
    get firstDueAt() {
      return size === 0 ? Number.POSITIVE_INFINITY : pairs[0]!;
    },
    push(dueAt, sequence) {
      if (2 * size === pairs.length) resize(2 * size);
      let at = size;
      size += 1;
      pairs[2 * at] = dueAt;
      pairs[2 * at + 1] = sequence;
      while (at > 0) {
        const parent = (at - 1) >>> 1;
        if (!before(at, parent)) break;
        swap(at, parent);
        at = parent;
      }
    },
    pop() {
      const sequence = pairs[1]!;
      size -= 1;
      swap(0, size);
      let at = 0;
      for (;;) {
        const left = 2 * at + 1;
        if (left >= size) break;
        const child = left + 1 < size && before(left + 1, left) ? left + 1 : left;
        if (!before(child, at)) break;
        swap(child, at);
        at = child;
      }
      if (size >= smallest && size * 8 < pairs.length) resize(Math.max(smallest, size * 2));
      return sequence;
    },
    clear() {
      size = 0;
      pairs = new Float64Array(2 * smallest);
    },
  };
}
