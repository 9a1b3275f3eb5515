/**
 * Kestrel's journals (1.x and 2.x): a file a queue, before it those that were rotated, with a time behind the name.
 * Records are little-endian, an opcode first:
 *
 *     0 ADD size(i32) expiry(i32, s) body           5 UNREMOVE xid(i32)
 *     1 REMOVE                                      6 CONFIRM_REMOVE xid
 *     2 ADDX size added(i64, ms) expiry(i64) body   7 ADD_XID xid size added expiry body
 *     3 REMOVE_TENTATIVE                            8 CONTINUE xid size added expiry body
 *     4 SAVE_XID xid                                9 REMOVE_TENTATIVE_XID xid
 */
import { basename } from 'node:path';
import { JournalFile } from './journal-file.ts';
import { type JournalMessage, Line, type Replayed } from './replay.ts';

const Op = {
  add: 0,
  remove: 1,
  addx: 2,
  removeTentative: 3,
  saveXid: 4,
  unremove: 5,
  confirmRemove: 6,
  addXid: 7,
  continue: 8,
  removeTentativeXid: 9,
} as const;

interface Item extends JournalMessage {
  /** Counts adds. */
  readonly order: number;
  xid: number;
}

/** Each queue's files in the order in which they were written. */
export function kestrelQueues(paths: readonly string[]): Map<string, string[]> {
  const found = new Map<string, { readonly path: string; readonly time: number; readonly pack: boolean }[]>();
  for (const path of paths) {
    const name = basename(path);
    // A rewrite that did not come to its end.
    if (name.includes('~~')) continue;
    const [queue, time, pack] = name.split('.') as [string, string?, string?];
    const at = time === undefined ? Number.POSITIVE_INFINITY : Number(time);
    if (Number.isNaN(at)) continue;
    const files = found.get(queue) ?? [];
    files.push({ path, time: at, pack: pack === 'pack' });
    found.set(queue, files);
  }
  const queues = new Map<string, string[]>();
  for (const [queue, files] of found) {
    files.sort((a, b) => a.time - b.time);
    // A pack stands for all before it, which were still to be deleted.
    const from = Math.max(
      0,
      files.findLastIndex(({ pack }) => pack),
    );
    queues.set(
      queue,
      files.slice(from).map(({ path }) => path),
    );
  }
  return queues;
}

export async function replayKestrel(paths: readonly string[]): Promise<Replayed> {
  const replay = new Replay();
  let tornBytes = 0;
  for (const path of paths) {
    await using journal = await JournalFile.open(path);
    for (;;) {
      const start = journal.position;
      const done = await replay.next(journal);
      if (done === 'more') continue;
      if (done === 'torn') tornBytes += (await journal.size()) - start;
      // What comes behind counts on what is missing here.
      if (done === 'damaged')
        return { ...replay.result(), tornBytes, damaged: { file: path, position: start } };
      break;
    }
  }
  return { ...replay.result(), tornBytes, damaged: undefined };
}

class Replay {
  readonly #queue = new Line<Item>();
  readonly #open = new Map<number, Item>();
  #xid = 0;
  #added = 0;

  /** What nobody acknowledged comes back before all else, in its original order. */
  result(): Pick<Replayed, 'messages' | 'returned'> {
    const open = [...this.#open.values()].sort((a, b) => a.order - b.order);
    return { messages: [...open, ...this.#queue.toArray()], returned: open.length };
  }

  async next(journal: JournalFile): Promise<'more' | 'end' | 'torn' | 'damaged'> {
    const op = (await journal.take(1))?.[0];
    switch (op) {
      case undefined:
        return 'end';
      case Op.add:
      case Op.addx:
        return this.#add(journal, 0, op === Op.add);
      case Op.remove:
        this.#queue.shift();
        return 'more';
      case Op.removeTentative:
        this.#removeTentative(undefined);
        return 'more';
      case Op.saveXid:
      case Op.unremove:
      case Op.confirmRemove:
      case Op.addXid:
      case Op.continue:
      case Op.removeTentativeXid: {
        const xid = (await journal.take(4))?.readInt32LE();
        return xid === undefined ? 'torn' : this.#transact(op, xid, journal);
      }
      default:
        return 'damaged';
    }
  }

  async #transact(op: number, xid: number, journal: JournalFile): Promise<'more' | 'torn' | 'damaged'> {
    const open = this.#open.get(xid);
    switch (op) {
      case Op.saveXid:
        this.#xid = xid;
        return 'more';
      case Op.unremove:
        this.#open.delete(xid);
        if (open !== undefined) this.#queue.unshift(open);
        return 'more';
      case Op.confirmRemove:
        this.#open.delete(xid);
        return 'more';
      case Op.removeTentativeXid:
        this.#removeTentative(xid);
        return 'more';
      case Op.addXid:
        return this.#add(journal, xid, false);
      default: {
        // Acknowledges the one and adds the other: only when all of it was written.
        const added = await this.#add(journal, 0, false);
        if (added === 'more') this.#open.delete(xid);
        return added;
      }
    }
  }

  async #add(journal: JournalFile, xid: number, old: boolean): Promise<'more' | 'torn' | 'damaged'> {
    const size = (await journal.take(4))?.readInt32LE();
    if (size === undefined) return 'torn';
    const headBytes = old ? 4 : 16;
    if (size < headBytes) return 'damaged';
    const head = await journal.take(headBytes);
    if (head === undefined) return 'torn';
    const expiresAtMs = old ? head.readInt32LE() * 1000 : Number(head.readBigInt64LE(8));
    const { path: file, position } = journal;
    const length = size - headBytes;
    if (!(await journal.skip(length))) return 'torn';
    this.#queue.push({ file, position, length, expiresAtMs, order: this.#added++, xid });
    return 'more';
  }

  /** An item that was written with its number keeps it. */
  #removeTentative(xid: number | undefined): void {
    const item = this.#queue.shift();
    if (item === undefined) return;
    item.xid = xid ?? (item.xid || this.#nextXid());
    if (xid !== undefined) this.#xid = xid;
    this.#open.set(item.xid, item);
  }

  #nextXid(): number {
    do this.#xid++;
    while (this.#open.has(this.#xid));
    return this.#xid;
  }
}
