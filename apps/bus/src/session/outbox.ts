/**
 * What waits for one client: bounded in bytes, in order, with what may give way when it is full. Pure.
 *
 * An entry waits until `take` gives it a number and hands it to the socket. If the client confirms what it has
 * received, an entry is kept until then, so that `rewind` can send it again on a new connection. At most half of the
 * limit, and one entry more, is on its way so: what has left can't give way any more.
 */

/** What becomes of messages for a receiver that is slow. See docs/internals/bus.md. */
export const SLOW_POLICIES = ['disconnect', 'slow', 'drop-oldest', 'newest-per-key'] as const;
export type SlowPolicy = (typeof SLOW_POLICIES)[number];

export interface Entry<Content> {
  /** What it counts for the limit. */
  readonly bytes: number;
  /** What it takes of memory: a share, where receivers share the content. */
  readonly heldBytes: number;
  /** What the client counts it as, in its window. */
  readonly sentBytes: number;
  readonly content: Content;
  /** A message's first group that the receiver is in; undefined for what is never dropped. */
  readonly group: string | undefined;
  /** For `newest-per-key`. */
  readonly key: string;
  readonly policy: SlowPolicy;
}

export interface Numbered<Content> {
  /** From 1, in the order of sending. */
  readonly number: number;
  readonly content: Content;
}

interface Slot<Content> extends Entry<Content> {
  /** Given way: it only holds its place. */
  dropped: boolean;
}

/** Waiting slots of a group whose messages may be dropped, oldest first, from `head` on. */
interface Droppable<Content> {
  slots: Slot<Content>[];
  head: number;
}

export class Outbox<Content> {
  readonly #limitBytes: number;
  readonly #confirmed: boolean;
  /** Says to the client that messages were dropped; gives undefined if its wire has no words for it. */
  readonly #dropNotice: (group: string, count: number) => Entry<Content> | undefined;
  /** Not yet taken, from `#head` on. */
  #waiting: Slot<Content>[] = [];
  #head = 0;
  #gaps = 0;
  /** Taken and not confirmed; the first has the number `#sentFrom`. */
  #sent: Entry<Content>[] = [];
  #sentFrom = 1;
  /** Of `#sent`, how many need not be taken again: all, but after `rewind`. */
  #resend = 0;
  #unconfirmedBytes = 0;
  /** What `#sent` costs to keep. */
  #sentBytes = 0;
  #bytes = 0;
  #heldBytes = 0;
  readonly #droppable = new Map<string, Droppable<Content>>();
  readonly #newest = new Map<string, Slot<Content>>();
  readonly #dropped = new Map<string, number>();

  constructor(
    limitBytes: number,
    confirmed: boolean,
    dropNotice: (group: string, count: number) => Entry<Content> | undefined,
  ) {
    this.#limitBytes = limitBytes;
    this.#confirmed = confirmed;
    this.#dropNotice = dropNotice;
  }

  /** Bytes that are kept, taken ones included while they may be wanted again. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What of that is memory of its own. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether `take` has something to give. */
  get ready(): boolean {
    return this.#resend < this.#sent.length || (this.#head < this.#waiting.length && this.#maySend);
  }

  get #maySend(): boolean {
    return this.#sentBytes < this.#limitBytes / 2;
  }

  /**
   * False: it is full, and nothing in it may give way; the session has to end. The entry is kept all the same.
   * For messages under `disconnect` it is full at its limit, for the rest at twice that: under `slow` messages are under way when the
   * senders are asked to stop, and whose messages give way is not to end for a large one, or for a view.
   */
  push(entry: Entry<Content>): boolean {
    if (entry.policy === 'newest-per-key' && entry.group !== undefined) this.#replace(entry);
    // hot: field by field, which is several times cheaper than a spread.
    const { bytes, heldBytes, sentBytes, content, group, key, policy } = entry;
    const slot: Slot<Content> = {
      bytes,
      heldBytes,
      sentBytes,
      content,
      group,
      key,
      policy,
      dropped: false,
    };
    this.#waiting.push(slot);
    this.#bytes += bytes;
    this.#heldBytes += heldBytes;
    if (group !== undefined && (entry.policy === 'drop-oldest' || entry.policy === 'newest-per-key')) {
      const droppable = this.#droppable.get(group);
      if (droppable === undefined) this.#droppable.set(group, { slots: [slot], head: 0 });
      else droppable.slots.push(slot);
      if (entry.policy === 'newest-per-key') this.#newest.set(`${group} ${entry.key}`, slot);
    }
    if (this.#bytes <= this.#limitBytes) return true;
    if (group !== undefined && this.#droppable.has(group)) this.#dropOldest(group);
    const atOnce = group !== undefined && entry.policy === 'disconnect';
    return this.#bytes <= (atOnce ? 1 : 2) * this.#limitBytes;
  }

  /** The oldest entries of up to about `bytes`, at least one if there is one. */
  take(bytes: number): Numbered<Content>[] {
    const taken: Numbered<Content>[] = [];
    let left = bytes;
    while (left > 0 && this.#resend < this.#sent.length) {
      const entry = this.#sent[this.#resend]!;
      taken.push({ number: this.#sentFrom + this.#resend, content: entry.content });
      this.#resend++;
      this.#unconfirmedBytes += entry.sentBytes;
      left -= entry.bytes;
    }
    if (left > 0 && this.#dropped.size > 0 && this.#maySend) {
      for (const [group, count] of this.#dropped) {
        const notice = this.#dropNotice(group, count);
        if (notice === undefined) continue;
        this.#bytes += notice.bytes;
        this.#heldBytes += notice.heldBytes;
        taken.push(this.#send(notice));
      }
      this.#dropped.clear();
    }
    while (left > 0 && this.#head < this.#waiting.length && this.#maySend) {
      const slot = this.#waiting[this.#head]!;
      this.#waiting[this.#head++] = undefined as unknown as Slot<Content>;
      if (slot.dropped) {
        this.#gaps--;
        continue;
      }
      this.#forget(slot);
      taken.push(this.#send(slot));
      left -= slot.bytes;
    }
    this.#compact();
    return taken;
  }

  /** The client has everything up to this number. False if it can't have: it was never sent. */
  confirm(number: number): boolean {
    if (number >= this.#sentFrom + this.#sent.length) return false;
    const count = number - this.#sentFrom + 1;
    if (count <= 0) return true;
    this.#sent.splice(0, count).forEach((entry, index) => {
      this.#bytes -= entry.bytes;
      this.#heldBytes -= entry.heldBytes;
      this.#sentBytes -= entry.bytes;
      if (index < this.#resend) this.#unconfirmedBytes -= entry.sentBytes;
    });
    this.#sentFrom += count;
    this.#resend = Math.max(0, this.#resend - count);
    return true;
  }

  /** A new connection, whose client has got everything up to this number: what follows is taken again. False: impossible. */
  rewind(number: number): boolean {
    const received = number - this.#sentFrom + 1;
    if (received < 0 || received > this.#sent.length) return false;
    while (this.#resend > received) this.#unconfirmedBytes -= this.#sent[--this.#resend]!.sentBytes;
    return true;
  }

  /** Bytes on their way or with the client, and not confirmed. */
  get unconfirmedBytes(): number {
    return this.#unconfirmedBytes;
  }

  #send(entry: Entry<Content>): Numbered<Content> {
    const number = this.#sentFrom + this.#sent.length;
    if (this.#confirmed) {
      this.#sent.push(entry);
      this.#sentBytes += entry.bytes;
      this.#resend++;
      this.#unconfirmedBytes += entry.sentBytes;
    } else {
      this.#sentFrom++;
      this.#bytes -= entry.bytes;
      this.#heldBytes -= entry.heldBytes;
    }
    return { number, content: entry.content };
  }

  #replace(entry: Entry<Content>): void {
    const older = this.#newest.get(`${entry.group} ${entry.key}`);
    if (older !== undefined) this.#drop(older);
  }

  #dropOldest(group: string): void {
    const droppable = this.#droppable.get(group)!;
    // The newest is what the receiver was just given: it stays.
    while (this.#bytes > this.#limitBytes && droppable.head < droppable.slots.length - 1) {
      const slot = droppable.slots[droppable.head++]!;
      if (!slot.dropped) this.#drop(slot);
    }
    trim(droppable);
  }

  #drop(slot: Slot<Content>): void {
    slot.dropped = true;
    this.#gaps++;
    this.#bytes -= slot.bytes;
    this.#heldBytes -= slot.heldBytes;
    this.#dropped.set(slot.group!, (this.#dropped.get(slot.group!) ?? 0) + 1);
    // Nothing but its place is kept, until the places are too many.
    (slot as { content: Content | undefined }).content = undefined;
    this.#unkey(slot);
    this.#compact();
  }

  /** It is taken, so it can't be dropped any more. */
  #forget(slot: Slot<Content>): void {
    const { group } = slot;
    if (group === undefined) return;
    const droppable = this.#droppable.get(group);
    if (droppable === undefined) return;
    while (droppable.slots[droppable.head]?.dropped || droppable.slots[droppable.head] === slot) {
      droppable.slots[droppable.head++] = undefined as unknown as Slot<Content>;
    }
    if (droppable.head >= droppable.slots.length) this.#droppable.delete(group);
    else trim(droppable);
    this.#unkey(slot);
  }

  #unkey(slot: Slot<Content>): void {
    const name = `${slot.group} ${slot.key}`;
    if (this.#newest.get(name) === slot) this.#newest.delete(name);
  }

  #compact(): void {
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
      this.#gaps = 0;
    } else if (this.#gaps > 1024 && this.#gaps * 2 > this.#waiting.length - this.#head) {
      this.#waiting = this.#waiting.slice(this.#head).filter(({ dropped }) => !dropped);
      this.#head = 0;
      this.#gaps = 0;
      for (const droppable of this.#droppable.values()) {
        droppable.slots = droppable.slots.slice(droppable.head).filter(({ dropped }) => !dropped);
        droppable.head = 0;
      }
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}

function trim(droppable: Droppable<unknown>): void {
  if (droppable.head <= 1024 || droppable.head * 2 <= droppable.slots.length) return;
  droppable.slots.splice(0, droppable.head);
  droppable.head = 0;
}
