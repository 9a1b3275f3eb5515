/**
 * Bytes as they arrive, handed out as lines, fixed runs and bodies.
 *
 * What lies whole in one chunk is handed out in place. What spans chunks is kept in pieces as bytes arrive, never because
 * a length was announced, and put together once at its end. Pieces, because a buffer that grows is copied into one of
 * twice the size: a hundred halves of large bodies took three times their size of memory, most of it the allocator's.
 */

export const EMPTY: Buffer = Buffer.alloc(0);

const LF = 10;
const CR = 13;
/** The first piece; each next one is as large as all before it, up to the largest. */
const FIRST_PIECE_BYTES = 1024;
const PIECE_BYTES = 256 * 1024;
/** Smaller chunks that wait are gathered in pieces of this size. */
const GATHERED_BYTES = 1024;

export class ByteSource {
  /** The chunk being read, and the part of it not read yet. */
  chunk: Buffer = EMPTY;
  at = 0;
  end = 0;
  /** Chunks pushed while the one before was not read to its end. */
  #waiting: Buffer[] = [];
  /** Behind them, the piece that small ones are gathered in, and how much of it is filled. */
  #gathered: Buffer = EMPTY;
  #gatheredLength = 0;
  /** Of all that wait. */
  #waitingBytes = 0;

  /** What was found last by `line` or `run`: the bytes of `found` from `start` to `stop`. */
  found: Buffer = EMPTY;
  start = 0;
  stop = 0;

  /** Pieces that are full, the one being filled, and how much of that is. */
  #full: Buffer[] = [];
  #piece: Buffer = EMPTY;
  #filled = 0;
  /** Of all pieces. */
  #heldLength = 0;
  #skip = 0;

  /** Bytes held and not handed out: what a peer makes this decoder keep. */
  get bufferedBytes(): number {
    return this.end - this.at + this.#heldLength + this.#waitingBytes;
  }

  /** True when a line, a run or a body has begun in an earlier chunk. */
  get holding(): boolean {
    return this.#heldLength > 0;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    // Also when the chunk has been read to its end, and nobody has asked for the next yet.
    if (this.at < this.end || this.#waitingBytes > 0) {
      if (!this.#gather(buffer, 0, buffer.length)) this.#waiting.push(buffer);
      return;
    }
    this.chunk = buffer;
    this.at = 0;
    this.end = buffer.length;
  }

  /** The same for the bytes `[start, end)` of a chunk that is written over after the next `keep`. */
  lend(chunk: Buffer, start: number, end: number): void {
    if (this.at < this.end || this.#waitingBytes > 0) {
      if (!this.#gather(chunk, start, end)) this.#waiting.push(Buffer.from(chunk.subarray(start, end)));
      return;
    }
    this.chunk = chunk;
    this.at = start;
    this.end = end;
  }

  /**
   * Counts what waits from now on; copies it to what is gathered if it is small. Else each byte that came by itself would
   * take a hundred of memory, and 60,000 of them more than a second to be found again.
   */
  #gather(chunk: Buffer, start: number, end: number): boolean {
    const length = end - start;
    this.#waitingBytes += length;
    if (length > this.#gathered.length - this.#gatheredLength) {
      this.#endGathering();
      if (length >= GATHERED_BYTES) return false;
      this.#gathered = Buffer.allocUnsafeSlow(GATHERED_BYTES);
    }
    chunk.copy(this.#gathered, this.#gatheredLength, start, end);
    this.#gatheredLength += length;
    return true;
  }

  #endGathering(): void {
    if (this.#gatheredLength > 0) this.#waiting.push(this.#gathered.subarray(0, this.#gatheredLength));
    this.#gathered = EMPTY;
    this.#gatheredLength = 0;
  }

  /** Copies what was lent and not read yet. */
  keep(lent: Buffer): void {
    if (this.chunk !== lent) return;
    this.chunk = this.at < this.end ? Buffer.from(lent.subarray(this.at, this.end)) : EMPTY;
    this.end -= this.at;
    this.at = 0;
  }

  /** Makes sure of an unread byte, if any has been pushed. */
  more(): boolean {
    if (this.at < this.end) return true;
    if (this.#waiting.length === 0 && this.#gatheredLength > 0) this.#endGathering();
    const next = this.#waiting.shift();
    if (next === undefined) {
      // Nothing left to read: let go of the chunk, so that an idle connection keeps no memory.
      if (this.end > 0) {
        this.chunk = EMPTY;
        this.at = 0;
        this.end = 0;
      }
      return false;
    }
    this.#waitingBytes -= next.length;
    this.chunk = next;
    this.at = 0;
    this.end = next.length;
    return true;
  }

  /** Forgets everything, after which nothing can be read. */
  drop(): void {
    this.chunk = EMPTY;
    this.at = 0;
    this.end = 0;
    this.#waiting = [];
    this.#gathered = EMPTY;
    this.#gatheredLength = 0;
    this.#waitingBytes = 0;
    this.#release();
  }

  #release(): void {
    if (this.#full.length > 0) this.#full = [];
    this.#piece = EMPTY;
    this.#filled = 0;
    this.#heldLength = 0;
  }

  /** Moves `count` unread bytes to the pieces, which are never larger than `most` together. */
  #hold(count: number, most: number): void {
    const end = this.at + count;
    while (this.at < end) {
      if (this.#filled === this.#piece.length) this.#addPiece(end - this.at, most);
      const copied = Math.min(end - this.at, this.#piece.length - this.#filled);
      this.chunk.copy(this.#piece, this.#filled, this.at, this.at + copied);
      this.#filled += copied;
      this.#heldLength += copied;
      this.at += copied;
    }
  }

  #addPiece(needed: number, most: number): void {
    if (this.#filled > 0) this.#full.push(this.#piece);
    const wanted = Math.max(FIRST_PIECE_BYTES, needed, this.#heldLength);
    this.#piece = Buffer.allocUnsafeSlow(Math.min(wanted, PIECE_BYTES, most - this.#heldLength));
    this.#filled = 0;
  }

  /** All that is held, in one buffer. */
  #together(): Buffer {
    if (this.#full.length === 0) return this.#piece;
    const whole = Buffer.allocUnsafeSlow(this.#heldLength);
    let at = 0;
    for (const piece of this.#full) at += piece.copy(whole, at);
    this.#piece.copy(whole, at, 0, this.#filled);
    return whole;
  }

  /** The unread byte number `index` of what is being put together, or of the chunk. -1 past its end. */
  peek(index: number): number {
    if (index < this.#heldLength) return this.#heldByte(index);
    const at = this.at + index - this.#heldLength;
    return at < this.end ? this.chunk[at]! : -1;
  }

  #heldByte(index: number): number {
    let left = index;
    for (const piece of this.#full) {
      if (left < piece.length) return piece[left]!;
      left -= piece.length;
    }
    return this.#piece[left]!;
  }

  /**
   * Finds a whole line: `found[start..stop)`, without its \n or \r\n. Returns 1 if found, 0 if more bytes
   * are needed, -1 if it is longer than `max(this)` bytes. `max` is asked only past `least` bytes.
   */
  line(least: number, max: (source: ByteSource) => number): number {
    while (this.more()) {
      const feed = this.chunk.indexOf(LF, this.at);
      const whole = feed >= 0 && feed < this.end;
      const count = (whole ? feed : this.end) - this.at;
      const length = this.#heldLength + count;
      if (length > least && length > max(this)) return -1;
      if (whole) {
        if (this.#heldLength === 0) {
          this.#place(this.chunk, this.at, feed);
          this.at = feed + 1;
        } else {
          this.#hold(count, length);
          this.at++;
          this.#place(this.#together(), 0, this.#heldLength);
          this.#release();
        }
        return 1;
      }
      this.#hold(count, Number.MAX_SAFE_INTEGER);
    }
    return 0;
  }

  #place(buffer: Buffer, start: number, feed: number): void {
    this.found = buffer;
    this.start = start;
    this.stop = feed > start && buffer[feed - 1] === CR ? feed - 1 : feed;
  }

  /** Finds exactly `length` bytes: `found[start..stop)`. False if more are needed. */
  run(length: number): boolean {
    if (this.#heldLength === 0 && this.end - this.at >= length) {
      this.found = this.chunk;
      this.start = this.at;
      this.stop = this.at + length;
      this.at = this.stop;
      return true;
    }
    while (this.#heldLength < length) {
      if (!this.more()) return false;
      this.#hold(Math.min(length - this.#heldLength, this.end - this.at), length);
    }
    this.found = this.#together();
    this.start = 0;
    this.stop = length;
    this.#release();
    return true;
  }

  /** Begins to pass over `count` bytes without keeping them: see `skipped`. */
  skip(count: number): void {
    this.#skip = count;
  }

  /** Lets go of what is being put together; returns how many bytes it was. */
  letGo(): number {
    const count = this.#heldLength;
    this.#release();
    return count;
  }

  /** Passes over what `skip` asked for. False if more bytes are to come. */
  skipped(): boolean {
    while (this.#skip > 0) {
      if (!this.more()) return false;
      const count = Math.min(this.#skip, this.end - this.at);
      this.at += count;
      this.#skip -= count;
    }
    return true;
  }

  /** Passes over everything up to and with the next \n, keeping nothing. False if it has not come yet. */
  skippedLine(): boolean {
    while (this.more()) {
      const feed = this.chunk.indexOf(LF, this.at);
      if (feed >= 0 && feed < this.end) {
        this.at = feed + 1;
        return true;
      }
      this.at = this.end;
    }
    return false;
  }
}
