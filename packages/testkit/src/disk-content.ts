import type { Random } from './random.ts';

/**
 * The bytes of one simulated file, twice: as written (what a read sees while the machine runs) and as on the device
 * (what a power loss leaves). Between the two stand the dirty pieces of 512 bytes and the syncs in flight.
 *
 * Pages are allocated when something other than zeros is written, so a reserve file of zeros costs nothing.
 */

/** What a device writes whole or not at all. */
const PIECE_BYTES = 512;
/** 32 pieces, so that the dirty ones of a page fit a 32-bit mask. */
const PAGE_BYTES = 32 * PIECE_BYTES;
const ZEROS = Buffer.alloc(PAGE_BYTES);

type Pages = (Buffer | null)[];

/** What one sync will put on the device when it completes. */
export interface SyncLayer {
  readonly pieces: readonly { readonly page: number; readonly mask: number; readonly data: Buffer | null }[];
  readonly length: number;
}

/** What becomes of the pages of a sync that failed: they stay in the page cache but clean, or fall out of it. */
export type FailedSync = 'cached' | 'evicted';

export class DiskContent {
  length = 0;
  #durableLength = 0;
  #written: Pages = [];
  #durable: Pages = [];
  /** Per page, the pieces written since they were last handed to a sync. */
  readonly #dirty = new Map<number, number>();
  /** Syncs in flight, oldest first. */
  #layers: SyncLayer[] = [];
  /** After a failed sync: what is written differs from the device, though nothing is dirty. */
  #diverged = false;

  write(buffer: Uint8Array, start: number, length: number, position: number): void {
    let done = 0;
    while (done < length) {
      const at = position + done;
      const page = Math.floor(at / PAGE_BYTES);
      const offset = at % PAGE_BYTES;
      const count = Math.min(length - done, PAGE_BYTES - offset);
      put(this.#written, page, offset, buffer.subarray(start + done, start + done + count));
      this.#markDirty(page, offset, count);
      done += count;
    }
    if (position + length > this.length) this.length = position + length;
  }

  /** Fills `target` from `position`; returns the count of bytes read. */
  read(target: Uint8Array, position: number): number {
    return copyOut(this.#written, this.length, target, position);
  }

  truncate(length: number): void {
    if (length < this.length) {
      for (const [page, offset, count] of pagesOf(length, this.length)) {
        put(this.#written, page, offset, ZEROS.subarray(0, count));
        this.#markDirty(page, offset, count);
      }
    }
    this.length = length;
  }

  /** Takes what is dirty now; `finishSync` or `failSync` follows. */
  beginSync(): SyncLayer {
    const pieces = [...this.#dirty].map(([page, mask]) => {
      const written = this.#written[page];
      return { page, mask, data: written ? Buffer.from(written) : null };
    });
    this.#dirty.clear();
    const layer = { pieces, length: this.length };
    this.#layers.push(layer);
    return layer;
  }

  finishSync(layer: SyncLayer): void {
    const index = this.#layers.indexOf(layer);
    if (index < 0) return; // A later sync has completed first, and covered this one.
    for (const covered of this.#layers.splice(0, index + 1)) {
      for (const { page, mask, data } of covered.pieces) copyPieces(this.#durable, page, mask, data);
      this.#durableLength = covered.length;
    }
  }

  /** As Linux does: some of the pages are on the device, the others are not, and all count as clean from now on. */
  failSync(random: Random, lost: FailedSync): void {
    const pages = new Map(this.#dirty);
    for (const layer of this.#layers) {
      for (const { page, mask } of layer.pieces) pages.set(page, (pages.get(page) ?? 0) | mask);
    }
    const written = random.pick([0, 0.3, 0.8]);
    for (const [page, mask] of pages) {
      const kept = subset(mask, written, random);
      copyPieces(this.#durable, page, kept, this.#written[page] ?? null);
      if (lost === 'evicted') copyPieces(this.#written, page, mask & ~kept, this.#durable[page] ?? null);
    }
    this.#durableLength = between(this.#durableLength, this.length, random);
    this.#dirty.clear();
    this.#layers = [];
    this.#diverged = true;
  }

  /** The system writes one dirty piece back of its own accord. */
  writeBack(random: Random): void {
    if (this.#layers.length > 0) return; // A sync in flight would overwrite it with an older version.
    for (const [page, mask] of this.#dirty) {
      const kept = mask & ~subset(mask, 0.5, random);
      copyPieces(this.#durable, page, kept, this.#written[page] ?? null);
      return;
    }
  }

  /** The process dies but the machine runs on: a sync in flight completes, or leaves its pages dirty. */
  kill(random: Random): void {
    const last = this.#layers.at(-1);
    if (last === undefined) return;
    if (random.chance(0.5)) {
      this.finishSync(last);
      return;
    }
    for (const { page, mask } of this.#layers.flatMap((layer) => layer.pieces)) {
      this.#dirty.set(page, (this.#dirty.get(page) ?? 0) | mask);
    }
    this.#layers = [];
  }

  /** The power fails: any subset of what was not synced stays, and any length between the two. */
  crash(random: Random): void {
    if (!this.#diverged && this.#dirty.size === 0 && this.#layers.length === 0) {
      if (this.length === this.#durableLength) return;
    }
    const lengths = [this.#durableLength, this.length, ...this.#layers.map((layer) => layer.length)];
    const keep = random.pick([0, 0.1, 0.5, 0.5, 0.9, 1]);
    for (const { page, mask, data } of this.#layers.flatMap((layer) => layer.pieces)) {
      copyPieces(this.#durable, page, subset(mask, keep, random), data);
    }
    for (const [page, mask] of this.#dirty) {
      copyPieces(this.#durable, page, subset(mask, keep, random), this.#written[page] ?? null);
    }
    const length = between(Math.min(...lengths), Math.max(...lengths), random);
    for (const [page, offset, count] of pagesOf(length, this.#durable.length * PAGE_BYTES)) {
      put(this.#durable, page, offset, ZEROS.subarray(0, count));
    }
    this.#dirty.clear();
    this.#layers = [];
    this.#diverged = false;
    this.length = length;
    this.#durableLength = length;
    this.#written = this.#durable.map((page) => (page ? Buffer.from(page) : null));
  }

  /** Changes a byte at rest, in the cache and on the device. */
  flip(position: number, mask: number): void {
    const page = Math.floor(position / PAGE_BYTES);
    const offset = position % PAGE_BYTES;
    for (const pages of [this.#written, this.#durable]) {
      const current = pages[page]?.[offset] ?? 0;
      put(pages, page, offset, Buffer.of(current ^ mask));
    }
  }

  /** What a power loss at this moment could count on. */
  durable(): Buffer {
    const buffer = Buffer.alloc(this.#durableLength);
    copyOut(this.#durable, this.#durableLength, buffer, 0);
    return buffer;
  }

  #markDirty(page: number, offset: number, count: number): void {
    const first = Math.floor(offset / PIECE_BYTES);
    const last = Math.floor((offset + count - 1) / PIECE_BYTES);
    this.#dirty.set(page, (this.#dirty.get(page) ?? 0) | ((-1 >>> (31 - last)) & (-1 << first)));
  }
}

/** Writes into a page, and leaves it unallocated as long as it holds only zeros. */
function put(pages: Pages, page: number, offset: number, data: Uint8Array): void {
  while (pages.length <= page) pages.push(null);
  let target = pages[page] ?? null;
  if (target === null) {
    if (ZEROS.subarray(0, data.length).equals(data)) return;
    target = Buffer.alloc(PAGE_BYTES);
    pages[page] = target;
  }
  target.set(data, offset);
}

function copyPieces(pages: Pages, page: number, mask: number, data: Buffer | null): void {
  for (let piece = 0; mask >>> piece !== 0 && piece < 32; piece++) {
    if (((mask >>> piece) & 1) === 0) continue;
    const offset = piece * PIECE_BYTES;
    put(pages, page, offset, (data ?? ZEROS).subarray(offset, offset + PIECE_BYTES));
  }
}

function copyOut(pages: Pages, length: number, target: Uint8Array, position: number): number {
  const total = Math.max(0, Math.min(target.length, length - position));
  for (const [page, offset, count, done] of pagesOf(position, position + total)) {
    target.set((pages[page] ?? ZEROS).subarray(offset, offset + count), done);
  }
  return total;
}

/** Cuts a range of bytes at page bounds: page, offset in it, count, and how many bytes came before. */
function* pagesOf(start: number, end: number): Generator<[number, number, number, number]> {
  for (let at = start; at < end; ) {
    const offset = at % PAGE_BYTES;
    const count = Math.min(end - at, PAGE_BYTES - offset);
    yield [Math.floor(at / PAGE_BYTES), offset, count, at - start];
    at += count;
  }
}

function subset(mask: number, probability: number, random: Random): number {
  if (probability === 0) return 0;
  if (probability === 1) return mask;
  let kept = 0;
  for (let piece = 0; piece < 32; piece++) {
    if ((mask >>> piece) & 1 && random.chance(probability)) kept |= 1 << piece;
  }
  return kept;
}

/** Any length between the two, the ends and the bounds of pieces more often. */
function between(low: number, high: number, random: Random): number {
  if (low > high) return between(high, low, random);
  switch (random.below(4)) {
    case 0:
      return low;
    case 1:
      return high;
    case 2:
      return random.between(low, high);
    default:
      return Math.max(low, Math.floor(random.between(low, high) / PIECE_BYTES) * PIECE_BYTES);
  }
}
