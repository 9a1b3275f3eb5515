import { carriedBytes } from './head.ts';
import {
  handleBase,
  type KeptId,
  type Message,
  type MessageProperties,
  type Store,
  type StoredCursor,
  type StoredLane,
  type StoredQueue,
  StoreError,
} from './store.ts';

/**
 * A store that forgets: for queues whose settings say `persistent = false`, and for tests of what stands on a store.
 * Everything is committed as soon as it is done.
 */
export class MemoryStore implements Store {
  readonly queues: Map<string, MemoryQueue> = new Map();
  readonly position: number = 0;
  readonly committedPosition: number = 0;
  readonly full: boolean = false;
  readonly congested: boolean = false;
  readonly maxChangeBytes: number = Number.POSITIVE_INFINITY;
  onCommit: (position: number) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  createQueue(name: string, attributes: string): MemoryQueue {
    if (this.queues.has(name)) throw new StoreError('queue-exists', `There is a queue "${name}" already.`);
    const queue = new MemoryQueue(name, attributes, () => this.queues.delete(name));
    this.queues.set(name, queue);
    return queue;
  }

  async sync(): Promise<void> {
    // Nothing is kept, so nothing is pending.
  }

  async close(): Promise<void> {
    this.queues.clear();
  }
}

class MemoryLane implements StoredLane {
  readonly handleBase: number;
  lastSequence = 0;
  bodyBytes = 0;
  /** In insertion order, which is the order of their sequences. */
  readonly #messages: Map<number, Message> = new Map();
  readonly #returns: Map<number, number> = new Map();
  readonly #gone: (sequence: number) => void;

  constructor(name: string, gone: (sequence: number) => void) {
    this.handleBase = handleBase(name);
    this.#gone = gone;
  }

  get count(): number {
    return this.#messages.size;
  }

  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): Message {
    const body = Buffer.from(buffer.subarray(start, end));
    this.lastSequence += 1;
    const message: Message = {
      sequence: this.lastSequence,
      flags: properties.flags,
      addedAt: properties.addedAt,
      expiresAt: properties.expiresAt,
      position: 0,
      buffer: body,
      start: 0,
      end: body.length,
      lane: this,
      carried: properties.carried,
    };
    this.#messages.set(message.sequence, message);
    this.bodyBytes += bytesOf(message);
    return message;
  }

  moveFrom(message: Message, properties: MessageProperties): Message {
    const moved = this.append(properties, message.buffer, message.start, message.end);
    message.lane.acknowledge(message);
    return moved;
  }

  async read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<Message[]> {
    const found: Message[] = [];
    let bytes = 0;
    for (const message of this.#messages.values()) {
      if (message.sequence <= afterSequence) continue;
      bytes += message.end - message.start;
      if (found.length > 0 && (found.length === maxMessages || bytes > maxBytes)) break;
      found.push(message);
    }
    return found;
  }

  acknowledge(message: Message): void {
    const { sequence } = message;
    if (!this.#messages.delete(sequence)) return;
    this.#returns.delete(sequence);
    this.bodyBytes -= bytesOf(message);
    this.#gone(sequence);
  }

  isAcknowledged(sequence: number): boolean {
    return sequence <= this.lastSequence && !this.#messages.has(sequence);
  }

  purge(): void {
    for (const sequence of this.#messages.keys()) this.#gone(sequence);
    this.#messages.clear();
    this.#returns.clear();
    this.bodyBytes = 0;
  }

  returnsOf(message: Message): number {
    return this.#returns.get(message.sequence) ?? message.carried?.returns ?? 0;
  }

  countReturn(message: Message): number {
    const returns = Math.min(255, this.returnsOf(message) + 1);
    if (this.#messages.has(message.sequence)) this.#returns.set(message.sequence, returns);
    return returns;
  }
}

function bytesOf(message: Message): number {
  return message.end - message.start + (message.carried === undefined ? 0 : carriedBytes(message.carried));
}

class MemoryQueue implements StoredQueue {
  readonly name: string;
  attributes: string;
  readonly cursors: Map<string, MemoryCursor> = new Map();
  readonly lanes: Map<string, MemoryLane> = new Map();
  readonly foundIds: readonly KeptId[] = [];
  lastIdMark = 0;
  readonly main: MemoryLane;
  readonly #removed: () => void;

  constructor(name: string, attributes: string, removed: () => void) {
    this.name = name;
    this.attributes = attributes;
    this.#removed = removed;
    // Nobody asks about a message that is gone, so cursors need not remember it.
    this.main = new MemoryLane('', (sequence) => {
      for (const cursor of this.cursors.values()) cursor.forget(sequence);
    });
  }

  createLane(name: string): MemoryLane {
    const lane = new MemoryLane(name, () => undefined);
    this.lanes.set(name, lane);
    return lane;
  }

  removeLane(name: string): void {
    this.lanes.get(name)?.purge();
    this.lanes.delete(name);
  }

  forgetIdsThrough(): void {
    // A store that forgets at its end keeps no ids beside those that its owner knows.
  }

  forgetId(): void {
    // As above.
  }

  setAttributes(attributes: string): void {
    this.attributes = attributes;
  }

  remove(): void {
    this.main.purge();
    for (const name of [...this.lanes.keys()]) this.removeLane(name);
    this.#removed();
  }

  createCursor(name: string): StoredCursor {
    const cursor = new MemoryCursor(
      name,
      (sequence) => this.main.isAcknowledged(sequence),
      () => this.cursors.delete(name),
    );
    this.cursors.set(name, cursor);
    return cursor;
  }
}

class MemoryCursor implements StoredCursor {
  readonly name: string;
  consumedThrough = 0;
  readonly #consumed: Set<number> = new Set();
  readonly #isGone: (sequence: number) => boolean;
  readonly #removed: () => void;

  constructor(name: string, isGone: (sequence: number) => boolean, removed: () => void) {
    this.name = name;
    this.#isGone = isGone;
    this.#removed = removed;
  }

  acknowledge(sequence: number): void {
    if (sequence > this.consumedThrough && !this.#isGone(sequence)) this.#consumed.add(sequence);
  }

  acknowledgeThrough(sequence: number): void {
    if (sequence <= this.consumedThrough) return;
    this.consumedThrough = sequence;
    for (const one of this.#consumed) if (one <= sequence) this.#consumed.delete(one);
  }

  isAcknowledged(sequence: number): boolean {
    return sequence <= this.consumedThrough || this.#consumed.has(sequence);
  }

  forget(sequence: number): void {
    this.#consumed.delete(sequence);
  }

  remove(): void {
    this.#removed();
  }
}
