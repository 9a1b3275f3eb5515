import { Cursor } from '../queue/cursor.ts';
import { Queue, type QueueSurroundings } from '../queue/queue.ts';
import { defaultQueueSettings, type QueueSettings } from '../queue/settings.ts';
import type { WindowBudget } from '../queue/window.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Message, MessageProperties, Store, StoredCursor, StoredQueue } from '../store/store.ts';
import { isLimited, type Limited } from '../throttle/admission.ts';
import { BrokerError } from './errors.ts';
import { changedSettings, parseAttributes, type SettingChanges } from './queue-settings.ts';

/** Settings by queue, as configured. */
export interface QueueConfiguration {
  readonly defaults: Partial<QueueSettings>;
  readonly queues: Readonly<Record<string, Partial<QueueSettings>>>;
  /** A put to the name goes to all of these instead. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

export interface RegistryLimits {
  readonly maxQueues: number;
  /** Fanout children of one queue. */
  readonly maxChildren: number;
  /** Cursors of one queue. */
  readonly maxCursors: number;
  readonly maxWindowBytes: number;
}

/** All queues by name, with their fanout children and cursors. */
export class Registry implements QueueSurroundings {
  readonly queues: Map<string, Queue> = new Map();
  readonly windowBudget: WindowBudget;
  /** Those that limit rates or connections, as few do. */
  readonly limited: Map<string, Limited> = new Map();
  /** Asked at each put and read. */
  hasLimited = false;
  createdTotal = 0;
  deletedTotal = 0;
  /** Queues removed because nobody used them. */
  expiredTotal = 0;
  /** Called when a message has come to a queue by moving. */
  onMoved: (queue: Queue) => void = () => undefined;
  readonly #store: Store;
  readonly #memory = new MemoryStore();
  readonly #limits: RegistryLimits;
  readonly #children = new Map<string, Queue[]>();
  readonly #cursors = new Map<Queue, Map<string, Cursor>>();
  /** Settings changed at run time. */
  readonly #changed = new Map<string, Partial<QueueSettings>>();
  #configuration: QueueConfiguration;
  #aliases: ReadonlyMap<string, readonly string[]>;

  constructor(store: Store, configuration: QueueConfiguration, limits: RegistryLimits, now: number) {
    this.#store = store;
    this.#configuration = configuration;
    this.#aliases = new Map(Object.entries(configuration.aliases));
    this.#limits = limits;
    this.windowBudget = { bodyBytes: 0, limit: limits.maxWindowBytes };
    // First all of these, because children inherit them.
    for (const stored of store.queues.values()) {
      const { settings } = parseAttributes(stored.attributes);
      if (settings !== undefined) this.#changed.set(stored.name, settings);
    }
    for (const stored of store.queues.values()) {
      this.#adopt(stored, parseAttributes(stored.attributes).createdAt ?? now, now);
    }
  }

  get configuration(): QueueConfiguration {
    return this.#configuration;
  }

  /** Takes effect on queues that are there too. */
  set configuration(configuration: QueueConfiguration) {
    this.#configuration = configuration;
    this.#aliases = new Map(Object.entries(configuration.aliases));
    for (const queue of this.queues.values()) this.#applySettings(queue);
  }

  /**
   * Changes settings of one queue, which is created if it is not there, for good: before them come only later ones.
   * @throws BrokerError `bad-setting`, `too-many-queues`; StoreError, and then nothing changed
   */
  changeSettings(name: string, changes: SettingChanges, now: number): Queue {
    const settings = changedSettings(this.#changed.get(name) ?? {}, changes);
    const queue = this.findOrCreate(name, now);
    queue.stored.setAttributes(JSON.stringify({ createdAt: queue.createdAt, settings }));
    this.#changed.set(name, settings);
    this.#applySettings(queue);
    for (const child of this.childrenOf(name) ?? []) this.#applySettings(child);
    return queue;
  }

  #applySettings(queue: Queue): void {
    queue.settings = this.settingsOf(queue.name);
    this.#noteLimits(queue);
    for (const cursor of this.cursorsOf(queue)?.values() ?? []) cursor.settingsChanged();
  }

  #noteLimits({ name, settings }: Queue): void {
    const known = this.limited.get(name);
    if (!isLimited(settings)) this.limited.delete(name);
    else if (known === undefined) {
      this.limited.set(name, { settings, rates: undefined, appliedSettings: undefined });
    } else known.settings = settings;
    this.hasLimited = this.limited.size > 0;
  }

  /** Defaults, then the parent's if it is a fanout child, then its own, each as configured and then as changed. */
  settingsOf(name: string): QueueSettings {
    const { defaults, queues } = this.#configuration;
    const parent = parentOf(name);
    return {
      ...defaultQueueSettings,
      ...defaults,
      // Being a mere feeder, or paused, is the parent's own part and not inherited.
      ...(parent === undefined
        ? {}
        : { ...queues[parent], ...this.#changed.get(parent), fanoutOnly: false, paused: false }),
      ...(Object.hasOwn(queues, name) ? queues[name] : {}),
      ...this.#changed.get(name),
    };
  }

  aliasesOf(name: string): readonly string[] | undefined {
    return this.#aliases.get(name);
  }

  childrenOf(name: string): readonly Queue[] | undefined {
    return this.#children.get(name);
  }

  /** @throws BrokerError `too-many-queues`, StoreError */
  findOrCreate(name: string, now: number): Queue {
    const found = this.queues.get(name);
    if (found !== undefined) return found;
    if (this.queues.size >= this.#limits.maxQueues) {
      throw new BrokerError(
        'too-many-queues',
        `there are ${this.#limits.maxQueues} queues, the most allowed (max_queues)`,
      );
    }
    const parent = parentOf(name);
    if (parent !== undefined && (this.#children.get(parent)?.length ?? 0) >= this.#limits.maxChildren) {
      throw new BrokerError(
        'too-many-queues',
        `${parent} has ${this.#limits.maxChildren} children, the most allowed (max_children)`,
      );
    }
    const store = this.settingsOf(name).persistent ? this.#store : this.#memory;
    const queue = this.#adopt(store.createQueue(name, JSON.stringify({ createdAt: now })), now, now);
    this.createdTotal += 1;
    return queue;
  }

  /** @throws StoreError */
  remove(queue: Queue): void {
    for (const cursor of this.cursorsOf(queue)?.values() ?? []) cursor.reader.removed();
    this.#cursors.delete(queue);
    queue.remove();
    this.queues.delete(queue.name);
    this.limited.delete(queue.name);
    this.hasLimited = this.limited.size > 0;
    if (this.#changed.delete(queue.name)) {
      for (const child of this.childrenOf(queue.name) ?? []) this.#applySettings(child);
    }
    const parent = parentOf(queue.name);
    if (parent !== undefined) {
      const siblings = this.#children.get(parent)?.filter((child) => child !== queue) ?? [];
      if (siblings.length === 0) this.#children.delete(parent);
      else this.#children.set(parent, siblings);
    }
    this.deletedTotal += 1;
  }

  /** Removes a queue that nobody uses any more. @throws StoreError */
  removeIdle(queue: Queue): void {
    this.remove(queue);
    this.expiredTotal += 1;
  }

  cursorsOf(queue: Queue): ReadonlyMap<string, Cursor> | undefined {
    return this.#cursors.get(queue);
  }

  /** @throws BrokerError `too-many-queues`, StoreError */
  findOrCreateCursor(queue: Queue, name: string): Cursor {
    const cursors = this.#cursors.get(queue);
    const cursor = cursors?.get(name);
    if (cursor !== undefined) return cursor;
    if ((cursors?.size ?? 0) >= this.#limits.maxCursors) {
      throw new BrokerError(
        'too-many-queues',
        `${queue.name} has ${this.#limits.maxCursors} cursors, the most allowed (max_cursors)`,
      );
    }
    return this.#adoptCursor(queue, queue.stored.createCursor(name));
  }

  moveTo(name: string, message: Message, properties: MessageProperties, now: number): void {
    const target = this.findOrCreate(name, now);
    target.cameOver(target.stored.main.moveFrom(message, properties), now);
    this.onMoved(target);
  }

  #adopt(stored: StoredQueue, createdAt: number, now: number): Queue {
    const queue = new Queue(stored, this.settingsOf(stored.name), createdAt, now, this);
    this.queues.set(queue.name, queue);
    this.#noteLimits(queue);
    const parent = parentOf(queue.name);
    if (parent !== undefined) this.#children.set(parent, [...(this.#children.get(parent) ?? []), queue]);
    for (const cursor of stored.cursors.values()) this.#adoptCursor(queue, cursor);
    return queue;
  }

  #adoptCursor(queue: Queue, stored: StoredCursor): Cursor {
    const cursor = new Cursor(queue, stored, this.windowBudget);
    let cursors = this.#cursors.get(queue);
    if (cursors === undefined) {
      cursors = new Map();
      this.#cursors.set(queue, cursors);
    }
    cursors.set(cursor.name, cursor);
    return cursor;
  }
}

/** `orders` for `orders+audit`. */
function parentOf(name: string): string | undefined {
  const plus = name.indexOf('+');
  return plus > 0 ? name.slice(0, plus) : undefined;
}
