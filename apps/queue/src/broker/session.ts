import type { OpenRead, Reader } from '../queue/reader.ts';
import { handleOf } from '../store/store.ts';
import type { Guest } from '../throttle/admission.ts';

/** What one connection holds: its open reads, oldest first per queue, and the wait it is in. */
export class Session implements Guest {
  /** Where it counts among the connections of a queue that limits them. */
  readonly visited: Guest['visited'] = new Set();
  openCount = 0;
  /** Ends the wait without a reply; undefined when none is on. */
  cancelWait: (() => void) | undefined;
  /** The wait is for a message that may come, and not only for the store to be read. */
  waitsForMessage = false;
  /** Of queues of which nothing is held at most one is among them: who closes a read mostly opens the next. */
  readonly #open: Map<Reader, OpenRead[]> = new Map();
  /** What was found there last; undefined when it may not be there any more. */
  #last: { readonly reader: Reader; readonly reads: OpenRead[] } | undefined;

  // hot: three times for who closes a read and opens the next, and mostly it is one queue.
  #readsOf(reader: Reader): OpenRead[] | undefined {
    if (this.#last?.reader === reader) return this.#last.reads;
    const reads = this.#open.get(reader);
    if (reads !== undefined) this.#last = { reader, reads };
    return reads;
  }

  // hot:
  add(read: OpenRead): void {
    const reads = this.#readsOf(read.reader);
    if (reads === undefined) this.#open.set(read.reader, [read]);
    else reads.push(read);
    this.openCount += 1;
  }

  /** The oldest read of the queue that is still held. */
  oldest(reader: Reader): OpenRead | undefined {
    const reads = this.#readsOf(reader);
    if (reads === undefined) return undefined;
    // Those that timed out meanwhile went back by themselves.
    while (reads.length > 0 && !reads[0]!.held) this.#shift(reader, reads);
    return reads[0];
  }

  /** The reads of the queue that are still held, oldest first. */
  held(reader: Reader): OpenRead[] {
    return this.#open.get(reader)?.filter((read) => read.held) ?? [];
  }

  /** The read that holds the message with this handle. */
  find(reader: Reader, handle: number): OpenRead | undefined {
    return this.#open.get(reader)?.find((read) => read.held && handleOf(read.message) === handle);
  }

  // hot: mostly the oldest. A splice, and a new list for the next one, took 5 % of reliable reads in a burst.
  /** Forgets a read that was closed or aborted. */
  remove(read: OpenRead): void {
    const reads = this.#readsOf(read.reader);
    if (reads === undefined) return;
    if (reads[0] === read) {
      this.#shift(read.reader, reads);
      return;
    }
    const index = reads.indexOf(read);
    if (index < 0) return;
    reads.splice(index, 1);
    this.openCount -= 1;
  }

  /** Forgets reads that timed out, so that they don't count against the limit. */
  prune(): void {
    this.#last = undefined;
    for (const [reader, reads] of this.#open) {
      const held = reads.filter((read) => read.held);
      this.openCount -= reads.length - held.length;
      if (held.length === 0) this.#open.delete(reader);
      else this.#open.set(reader, held);
    }
  }

  /** All that is held, by queue; the session forgets it. */
  takeAll(): Map<Reader, OpenRead[]> {
    const all = new Map<Reader, OpenRead[]>();
    for (const [reader, reads] of this.#open) if (reads.length > 0) all.set(reader, this.held(reader));
    this.#open.clear();
    this.#last = undefined;
    this.openCount = 0;
    return all;
  }

  #shift(reader: Reader, reads: OpenRead[]): void {
    // hot: mostly it is the only one, and the end of a list costs less than its beginning.
    if (reads.length === 1) reads.pop();
    else reads.shift();
    this.openCount -= 1;
    if (reads.length > 0 || this.#open.size === 1) return;
    this.#open.delete(reader);
    this.#last = undefined;
  }
}
