import {
  type Message,
  type MessageProperties,
  nothingCarried,
  type StoredLane,
  type StoredQueue,
} from '../../store/store.ts';
import { createDueHeap, type DueHeap } from './due-heap.ts';
import { endsAt, opensAt, parseSlotName, placeFor, type SlotPlace, slotName } from './wheel.ts';

/** A lane of messages that are due at about the same time. */
export interface Slot {
  readonly name: string;
  /** Undefined for the entry, whose messages are to be placed at once. */
  readonly place: SlotPlace | undefined;
  readonly lane: StoredLane;
  /** Up to here its messages are in the heap, or have moved. */
  readThrough: number;
  /** Level 0: all its messages are in the heap, and so will be those to come. */
  open: boolean;
}

/** What is to be done next; the caller reads the store for it. */
export type Step =
  /** Read the slot's lane after `readThrough` and bring what was found to `opened`. */
  | { readonly kind: 'open'; readonly slot: Slot }
  /** Read these messages, whose sequences ascend, and make them ready. */
  | { readonly kind: 'ready'; readonly slot: Slot; readonly sequences: readonly number[] };

/** Messages of one step, so that others get their turn: a few milliseconds. */
export const stepMessages = 1000;
const entryName = 'e';

/**
 * The delayed messages of one queue: in which slot each waits, and for those due soon, when. No I/O, no clock.
 * What it does to the store is moves, each one record: a message is in one slot, or ready.
 */
export class Delays {
  readonly #stored: StoredQueue;
  readonly #slots: Map<string, Slot> = new Map();
  /** By level-0 slot. */
  readonly #heaps: Map<Slot, DueHeap> = new Map();

  constructor(stored: StoredQueue) {
    this.#stored = stored;
    for (const [name, lane] of stored.lanes) {
      const place = parseSlotName(name);
      if (place !== undefined || name === entryName) this.#adopt(name, place, lane);
    }
  }

  get count(): number {
    let count = 0;
    for (const { lane } of this.#slots.values()) count += lane.count;
    return count;
  }

  get bodyBytes(): number {
    let bytes = 0;
    for (const { lane } of this.#slots.values()) bytes += lane.bodyBytes;
    return bytes;
  }

  /** Keeps a new message until `carried.dueAt`. @throws StoreError, and then it was not taken */
  put(now: number, properties: MessageProperties, buffer: Uint8Array, start: number, end: number): Message {
    if (!properties.carried!.identified) {
      const slot = this.#slotFor(properties.carried!.dueAt, now);
      const message = slot.lane.append(properties, buffer, start, end);
      this.#arrived(slot, message);
      return message;
    }
    // First into the entry: see `LogIds`. What can't move on at once does so at the next step.
    const entry = this.#slots.get(entryName) ?? this.#create(entryName, undefined, now);
    const message = entry.lane.append(properties, buffer, start, end);
    try {
      return this.move(now, message, properties);
    } catch {
      return message;
    }
  }

  /** Moves a message of any lane to where it waits for its `carried.dueAt`. @throws StoreError */
  move(now: number, message: Message, properties: MessageProperties): Message {
    const slot = this.#slotFor(properties.carried!.dueAt, now);
    const moved = slot.lane.moveFrom(message, properties);
    this.#arrived(slot, moved);
    return moved;
  }

  /** When there is something to do; Infinity if nothing waits. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.values()) next = Math.min(next, this.#nextOf(slot));
    return next;
  }

  #nextOf(slot: Slot): number {
    if (slot.place === undefined) return slot.lane.count > 0 ? 0 : Number.POSITIVE_INFINITY;
    if (!slot.open) return opensAt(slot.place);
    const heap = this.#heaps.get(slot)!;
    return heap.size > 0 ? heap.firstDueAt : endsAt(slot.place);
  }

  /** What to do now; undefined: nothing until `nextAt`. @throws StoreError */
  next(now: number): Step | undefined {
    let first: Slot | undefined;
    for (const slot of this.#slots.values()) {
      const at = this.#nextOf(slot);
      if (at > now) continue;
      if (!slot.open) return { kind: 'open', slot };
      const heap = this.#heaps.get(slot)!;
      if (heap.size === 0) {
        this.#remove(slot);
        continue;
      }
      if (first === undefined || at < this.#nextOf(first)) first = slot;
    }
    return first === undefined ? undefined : { kind: 'ready', slot: first, sequences: this.#due(first, now) };
  }

  #due(slot: Slot, now: number): number[] {
    const heap = this.#heaps.get(slot)!;
    const sequences: number[] = [];
    while (heap.firstDueAt <= now && sequences.length < stepMessages) sequences.push(heap.pop());
    return sequences.sort((a, b) => a - b);
  }

  /** What was read of a slot after its `readThrough`, when its newest was `through`. @throws StoreError */
  opened(slot: Slot, messages: readonly Message[], through: number, now: number): void {
    // Flushed meanwhile.
    if (this.#slots.get(slot.name) !== slot) return;
    // The clock went back: its messages would find no lower level.
    if (slot.place !== undefined && opensAt(slot.place) > now) return;
    const heap = this.#heaps.get(slot);
    for (const message of messages) {
      if (message.sequence <= slot.readThrough) continue;
      if (heap !== undefined) heap.push(message.carried!.dueAt, message.sequence);
      else if (!slot.lane.isAcknowledged(message.sequence)) this.move(now, message, message);
      slot.readThrough = message.sequence;
    }
    if (messages.length > 0 || through < slot.lane.lastSequence) return;
    slot.readThrough = through;
    if (heap !== undefined) slot.open = true;
    else if (slot.place !== undefined) this.#remove(slot);
  }

  /** These could not be read, or not be made ready: they are due still. */
  putOff(slot: Slot, sequences: readonly number[], now: number): void {
    const heap = this.#heaps.get(slot);
    for (const sequence of sequences) heap?.push(now, sequence);
  }

  /** Drops all of them. @throws StoreError */
  purge(): void {
    for (const slot of [...this.#slots.values()]) {
      // Ids name it.
      if (slot.place === undefined) slot.lane.purge();
      else this.#remove(slot);
    }
  }

  #arrived(slot: Slot, message: Message): void {
    if (!slot.open) return;
    this.#heaps.get(slot)!.push(message.carried!.dueAt, message.sequence);
    slot.readThrough = message.sequence;
  }

  #slotFor(dueAt: number, now: number): Slot {
    // Never in the past: what has been due for long waits in the slot of now, which is there a while yet.
    const place = placeFor(Math.max(dueAt, now), now);
    const name = slotName(place);
    return this.#slots.get(name) ?? this.#create(name, place, now);
  }

  #create(name: string, place: SlotPlace | undefined, now: number): Slot {
    const slot = this.#adopt(name, place, this.#stored.createLane(name));
    // Nothing is in it that would have to be read.
    slot.open = place?.level === 0 && opensAt(place) <= now;
    return slot;
  }

  #adopt(name: string, place: SlotPlace | undefined, lane: StoredLane): Slot {
    const slot: Slot = { name, place, lane, readThrough: 0, open: false };
    this.#slots.set(name, slot);
    if (place?.level === 0) this.#heaps.set(slot, createDueHeap());
    return slot;
  }

  #remove(slot: Slot): void {
    this.#stored.removeLane(slot.name);
    this.#slots.delete(slot.name);
    this.#heaps.delete(slot);
  }
}

/** What a message is that has been delayed and is now ready. */
export function readyProperties(message: Message): MessageProperties {
  const { flags, addedAt, expiresAt, carried = nothingCarried } = message;
  // The age of what was put with a delay begins when it can be read; of what came back it goes on.
  const since = carried.returns === 0 ? Math.max(addedAt, carried.dueAt) : addedAt;
  return { flags, addedAt: since, expiresAt, carried: plain({ ...carried, dueAt: 0 }) };
}

/** Undefined for what carries nothing, so that it costs what others cost. */
export function plain(carried: MessageProperties['carried']): MessageProperties['carried'] {
  if (carried === undefined) return undefined;
  const { dueAt, priority, returns, id, origin } = carried;
  const carriesNothing =
    dueAt === 0 &&
    priority === nothingCarried.priority &&
    returns === 0 &&
    id === undefined &&
    origin === undefined;
  return carriesNothing ? undefined : carried;
}
