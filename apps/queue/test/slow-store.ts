import { MemoryStore } from '../src/store/memory-store.ts';
import type {
  KeptId,
  Message,
  MessageProperties,
  Store,
  StoredCursor,
  StoredLane,
  StoredQueue,
} from '../src/store/store.ts';

export interface SlowStoreOptions {
  /** Resolves when the device has done one read. Default: at once. */
  readonly read?: () => Promise<void>;
  /** Whether a read sees the store as it was when asked, or as it is when done. Default: when asked. */
  readonly readsLate?: () => boolean;
  /** Default: only `commit` commits. */
  readonly commits?: 'at once' | 'when told';
}

/** A store in memory that commits when it is told to, reads as slowly as a disk, and can fail. */
export class SlowStore implements Store {
  readonly inner: MemoryStore = new MemoryStore();
  readonly queues: Map<string, SlowQueue> = new Map();
  position = 0;
  committedPosition = 0;
  full = false;
  congested = false;
  readonly maxChangeBytes: number = Number.POSITIVE_INFINITY;
  onCommit: (position: number) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;
  /** Thrown by the next operations of the kind, until it is taken away. */
  readonly failures: { append?: Error; acknowledge?: Error; read?: Error } = {};
  reads = 0;
  readonly options: SlowStoreOptions;
  #syncs: (() => void)[] = [];

  constructor(options: SlowStoreOptions = {}) {
    this.options = options;
  }

  createQueue(name: string, attributes: string): SlowQueue {
    const queue = new SlowQueue(this, this.inner.createQueue(name, attributes));
    this.queues.set(name, queue);
    return queue;
  }

  changed(): void {
    this.position += 1;
    if (this.options.commits !== 'when told') this.committedPosition = this.position;
  }

  commit(): void {
    this.committedPosition = this.position;
    this.congested = false;
    for (const done of this.#syncs) done();
    this.#syncs = [];
    this.onCommit(this.position);
  }

  sync(): Promise<void> {
    if (this.committedPosition === this.position) return Promise.resolve();
    return new Promise((resolve) => {
      this.#syncs.push(resolve);
    });
  }

  async close(): Promise<void> {
    this.commit();
  }
}

class SlowLane implements StoredLane {
  readonly handleBase: number;
  readonly #store: SlowStore;
  readonly #inner: StoredLane;

  constructor(store: SlowStore, inner: StoredLane) {
    this.#store = store;
    this.#inner = inner;
    this.handleBase = inner.handleBase;
  }

  get lastSequence(): number {
    return this.#inner.lastSequence;
  }
  get count(): number {
    return this.#inner.count;
  }
  get bodyBytes(): number {
    return this.#inner.bodyBytes;
  }

  append(properties: MessageProperties, buffer: Uint8Array, start: number, end: number): Message {
    const { append } = this.#store.failures;
    if (append !== undefined) throw append;
    this.#store.changed();
    const position = this.#store.position;
    return { ...this.#inner.append(properties, buffer, start, end), position, lane: this };
  }

  moveFrom(message: Message, properties: MessageProperties): Message {
    // Both or neither.
    if (this.#store.failures.acknowledge !== undefined) throw this.#store.failures.acknowledge;
    const moved = this.append(properties, message.buffer, message.start, message.end);
    message.lane.acknowledge(message);
    return moved;
  }

  async read(afterSequence: number, maxMessages: number, maxBytes: number): Promise<Message[]> {
    const { options, failures } = this.#store;
    this.#store.reads += 1;
    const late = options.readsLate?.() ?? false;
    const read = async (): Promise<Message[]> => {
      const messages = await this.#inner.read(afterSequence, maxMessages, maxBytes);
      return messages.map((message) => ({ ...message, lane: this }));
    };
    const early = await read();
    await options.read?.();
    if (failures.read !== undefined) throw failures.read;
    return late ? read() : early;
  }

  acknowledge(message: Message): void {
    const { acknowledge } = this.#store.failures;
    if (acknowledge !== undefined) throw acknowledge;
    this.#store.changed();
    this.#inner.acknowledge(message);
  }

  isAcknowledged(sequence: number): boolean {
    return this.#inner.isAcknowledged(sequence);
  }

  purge(): void {
    this.#store.changed();
    this.#inner.purge();
  }

  returnsOf(message: Message): number {
    return this.#inner.returnsOf(message);
  }

  countReturn(message: Message): number {
    this.#store.changed();
    return this.#inner.countReturn(message);
  }
}

class SlowQueue implements StoredQueue {
  readonly #store: SlowStore;
  readonly inner: StoredQueue;
  readonly main: SlowLane;
  readonly lanes: Map<string, SlowLane> = new Map();

  constructor(store: SlowStore, inner: StoredQueue) {
    this.#store = store;
    this.inner = inner;
    this.main = new SlowLane(store, inner.main);
  }

  get name(): string {
    return this.inner.name;
  }
  get attributes(): string {
    return this.inner.attributes;
  }
  get cursors(): ReadonlyMap<string, StoredCursor> {
    return this.inner.cursors;
  }
  get foundIds(): readonly KeptId[] {
    return this.inner.foundIds;
  }
  get lastIdMark(): number {
    return this.inner.lastIdMark;
  }

  createLane(name: string): StoredLane {
    this.#store.changed();
    const lane = new SlowLane(this.#store, this.inner.createLane(name));
    this.lanes.set(name, lane);
    return lane;
  }

  removeLane(name: string): void {
    this.#store.changed();
    this.inner.removeLane(name);
    this.lanes.delete(name);
  }

  forgetIdsThrough(mark: number): void {
    this.inner.forgetIdsThrough(mark);
  }

  forgetId(mark: number): void {
    this.inner.forgetId(mark);
  }

  setAttributes(attributes: string): void {
    this.#store.changed();
    this.inner.setAttributes(attributes);
  }

  remove(): void {
    this.#store.changed();
    this.inner.remove();
    this.#store.queues.delete(this.name);
  }

  createCursor(name: string): StoredCursor {
    this.#store.changed();
    return this.inner.createCursor(name);
  }
}
