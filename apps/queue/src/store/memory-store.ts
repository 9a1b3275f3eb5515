import {
  type Message,
  type MessageProperties,
  type Store,
  type StoredCursor,
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

class MemoryQueue implements StoredQueue {
  readonly name: string;
  attributes: string;
  lastSequence = 0;
  bodyBytes = 0;
  readonly cursors: Map<string, MemoryCursor> = new Map();
  /** In insertion order, which is the order of their sequences. */
  readonly #messages: Map<number, Message> = new Map();
  readonly #removed: () => void;

  constructor(name: string, attributes: string, removed: () => void) {
    this.name = name;
    this.attributes = attributes;
    this.#removed = removed;
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
      handle: undefined,
    };
    this.#messages.set(message.sequence, message);
    this.bodyBytes += body.length;
    return message;
  }

  moveFrom(source: StoredQueue, message: Message, properties: MessageProperties): Message {
    const moved = this.append(properties, message.buffer, message.start, message.end);
    source.acknowledge(message);
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
    if (!this.#messages.delete(message.sequence)) return;
    this.bodyBytes -= message.end - message.start;
    // Nobody asks about a message that is gone, so cursors need not remember it.
    for (const cursor of this.cursors.values()) cursor.forget(message.sequence);
  }

  isAcknowledged(sequence: number): boolean {
    return sequence <= this.lastSequence && !this.#messages.has(sequence);
  }

  purge(): void {
    this.#messages.clear();
    this.bodyBytes = 0;
    for (const cursor of this.cursors.values()) cursor.forgetAll();
  }

  setAttributes(attributes: string): void {
    this.attributes = attributes;
  }

  remove(): void {
    this.purge();
    this.#removed();
  }

  createCursor(name: string): StoredCursor {
    const cursor = new MemoryCursor(
      name,
      (sequence) => this.isAcknowledged(sequence),
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

  forgetAll(): void {
    this.#consumed.clear();
  }

  remove(): void {
    this.#removed();
  }
}
