import type { Clock, Timer } from '@rookery/storage';
import type { Dialect } from '../dialect.ts';
import type { PutOutcome, Queue } from '../queue/queue.ts';
import type { Reader, Waiter } from '../queue/reader.ts';
import { type Message, type Store, StoreError } from '../store/store.ts';
import { type Admission, createAdmission } from '../throttle/admission.ts';
import { createDelayer, type Delayer } from './delayer.ts';
import { BrokerError } from './errors.ts';
import { putToMany } from './fan-out.ts';
import { createFlusher, type Flusher } from './flusher.ts';
import { checkDelay, createHeld, type Held } from './held.ts';
import { createLoader, type Loader } from './loader.ts';
import type { SettingChanges } from './queue-settings.ts';
import { createRedriver, type Redriver } from './redrive.ts';
import { type QueueConfiguration, Registry } from './registry.ts';
import type { Session } from './session.ts';
import { readsAllowed, type ServerStatus, writesAllowed } from './status.ts';
import { type Sweeper, startSweeper } from './sweeper.ts';
import { cached, parseReadTarget, parseWriteTarget, type ReadTarget, type WriteTarget } from './targets.ts';
import { timerMsMax } from './timer.ts';

export interface BrokerLimits {
  readonly maxOpenReads: number;
  readonly maxQueues: number;
  readonly maxChildren: number;
  readonly maxCursors: number;
  readonly maxWaits: number;
  readonly maxWindowBytes: number;
  /** Messages of one batch. */
  readonly maxBatch: number;
  readonly maxDelayMs: number;
}

export interface BrokerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly dialect: Dialect;
  readonly limits: BrokerLimits;
  readonly configuration: QueueConfiguration;
  /** Told of what failed in the background, such as a sweep that met a full disk. */
  readonly onBackgroundError: (error: Error) => void;
}

/** Beside a queue's outcomes: `stored-sync` asks the caller to wait for `store.sync()` before it replies. */
export type BrokerPutOutcome = PutOutcome | 'stored-sync';

/** The answer comes through the callback. */
export const later: unique symbol = Symbol('later');

export type ReadCallback = (message: Message | undefined, error?: Error) => void;

/** Requests in, messages out: finds the queues that a name means, and does what the wires have in common. */
export class Broker {
  readonly store: Store;
  readonly clock: Clock;
  readonly dialect: Dialect;
  readonly registry: Registry;
  readonly flusher: Flusher;
  readonly redriver: Redriver;
  readonly held: Held;
  readonly admission: Admission;
  readonly readTarget: (key: string) => ReadTarget;
  readonly writeTarget: (key: string) => WriteTarget;
  status: ServerStatus = 'up';
  waits = 0;
  readonly counters = { get: 0, set: 0, peek: 0, hits: 0, misses: 0 };
  readonly #limits: BrokerLimits;
  readonly #loader: Loader;
  readonly #sweeper: Sweeper;
  readonly #delayer: Delayer;

  constructor(options: BrokerOptions) {
    this.store = options.store;
    this.clock = options.clock;
    this.dialect = options.dialect;
    this.#limits = options.limits;
    this.registry = new Registry(options.store, options.configuration, options.limits, options.clock.now());
    this.admission = createAdmission(this.registry.limited);
    this.readTarget = cached((key) => parseReadTarget(key, options.dialect));
    this.writeTarget = cached((key) => parseWriteTarget(key, options.dialect));
    this.#loader = createLoader(options.clock);
    this.flusher = createFlusher(this.registry, this.#loader, options.clock, options.onBackgroundError);
    this.#sweeper = startSweeper(this.registry, this.#loader, options.clock, options.onBackgroundError);
    const wake = (queue: Queue): void => this.#wake(queue);
    this.registry.onMoved = wake;
    this.#delayer = createDelayer(this.registry, options.clock, wake, options.onBackgroundError);
    this.held = createHeld({
      readerOf: (target) => this.readerOf(target, options.clock.now()),
      clock: options.clock,
      maxDelayMs: options.limits.maxDelayMs,
      watchOpenReads: this.#sweeper.watchOpenReads,
      watchDelayed: this.#delayer.watch,
    });
    this.redriver = createRedriver(this.registry, this.#loader, options.clock, wake);
  }

  // hot:
  /**
   * Puts one message into every queue that the target names, or into none.
   * @throws BrokerError `writes-blocked`, `too-many-queues`, `bad-options`; StoreError
   */
  put(
    target: WriteTarget,
    flags: number,
    expiresAt: number,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): BrokerPutOutcome {
    this.checkWrites();
    const now = this.clock.now();
    this.counters.set += 1;
    const { options } = target;
    if (options !== undefined) checkDelay(options.delayMs, this.#limits.maxDelayMs);
    const { queues } = target;
    const name = queues[0]!;
    if (queues.length === 1 && this.registry.aliasesOf(name) === undefined) {
      const queue = this.registry.findOrCreate(name, now);
      if (this.registry.childrenOf(name) === undefined && !queue.settings.fanoutOnly) {
        const outcome = queue.put(now, flags, expiresAt, buffer, start, end, options);
        if (outcome !== 'stored') return outcome;
        this.#wake(queue);
        if (options !== undefined) this.#delayer.watch(queue);
        return target.sync || queue.settings.sync === 'always' ? 'stored-sync' : 'stored';
      }
    }
    const properties = { flags, addedAt: now, expiresAt };
    const takers = putToMany(this.registry, this.store, target, properties, buffer, start, end);
    if (typeof takers === 'string') return takers;
    let { sync } = target;
    for (const queue of takers) {
      this.#wake(queue);
      if (options !== undefined) this.#delayer.watch(queue);
      if (queue.settings.sync === 'always') sync = true;
    }
    return sync ? 'stored-sync' : 'stored';
  }

  // hot:
  /**
   * Reads as the target says, for a session. Returns the message, or undefined for none, or `later`: then `done` is
   * called once, unless the session ends before. An open read is in the session when the message is handed over.
   * @throws BrokerError, StoreError
   */
  read(session: Session, target: ReadTarget, done: ReadCallback): Message | undefined | typeof later {
    if (!readsAllowed(this.status)) {
      throw new BrokerError('reads-blocked', `the server takes no reads: its status is ${this.status}`);
    }
    const now = this.clock.now();
    if (target.peek) this.counters.peek += 1;
    else this.counters.get += 1;
    const reader = this.readerOf(target, now);
    if (target.batch > 1) this.checkBatch(target.batch);
    const settles = target.close || target.abort || target.bury;
    if (this.registry.hasLimited && (target.open || !settles)) {
      this.admission.read(session, target.queue, now);
    }
    if (settles) {
      if (reader !== undefined) this.held.endOldest(session, reader, target, now);
      if (!target.open) return undefined;
    }
    if (reader === undefined) return this.#miss();
    if (reader.paused && !target.peek) {
      return target.timeoutMs === 0 ? this.#miss() : this.#wait(session, reader, target, done);
    }
    this.#checkReadAllowed(session, reader, target);

    // There can be both only while messages are handed out, when one who got one asks for the next: not before those
    // who wait already. Where it is paused they wait for something else than who looks.
    const queues = reader.waiters.size > 0 && !reader.paused && reader.windowSize > 0;
    if (!queues) {
      const message = target.peek ? reader.peek(now) : reader.take(now);
      if (message !== undefined) {
        this.#deliver(session, reader, target, message, now);
        if (reader.needsLoad) void this.#loader.load(reader);
        return message;
      }
      if (target.timeoutMs === 0 && !reader.behind) return this.#miss();
    }
    return this.#wait(session, reader, target, done);
  }

  /**
   * A further message of a batch, if it is in memory and the session may have it; never waits. Those before it are on
   * their way: what the store refuses is told to the next read.
   */
  readMore(session: Session, target: ReadTarget): Message | undefined {
    const now = this.clock.now();
    const reader = this.readerOf(target, now);
    if (reader === undefined || reader.paused || reader.waiters.size > 0) return undefined;
    if (target.open && session.openCount >= this.#limits.maxOpenReads) return undefined;
    let message: Message | undefined;
    try {
      message = reader.take(now);
      if (message !== undefined) this.#deliver(session, reader, target, message, now);
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof BrokerError)) throw error;
      return undefined;
    }
    if (reader.needsLoad) void this.#loader.load(reader);
    return message;
  }

  /** Closes the `count` oldest open reads of the queue; false if fewer are open. @throws StoreError */
  confirm(session: Session, target: ReadTarget, count: number): boolean {
    return this.held.close(session, target, { oldest: count });
  }

  /** @throws BrokerError `writes-blocked` */
  checkWrites(): void {
    if (writesAllowed(this.status)) return;
    throw new BrokerError('writes-blocked', `the server takes no writes: its status is ${this.status}`);
  }

  /** @throws BrokerError `bad-options` */
  checkBatch(messages: number): void {
    const { maxBatch } = this.#limits;
    if (messages <= maxBatch) return;
    throw new BrokerError('bad-options', `a batch has ${maxBatch} messages at most (max_batch)`);
  }

  /** Changes settings of a queue for good. @throws BrokerError `bad-setting`, `too-many-queues`; StoreError */
  changeSettings(key: string, changes: SettingChanges): Queue {
    const now = this.clock.now();
    const queue = this.registry.changeSettings(this.readTarget(key).queue, changes, now);
    for (const each of [queue, ...(this.registry.childrenOf(queue.name) ?? [])]) this.#serve(each, now);
    return queue;
  }

  /** Takes effect on queues that are there too. */
  reconfigure(configuration: QueueConfiguration): void {
    const now = this.clock.now();
    this.registry.configuration = configuration;
    for (const queue of this.registry.queues.values()) this.#serve(queue, now);
  }

  /** To those who wait: its settings may have let it go on. */
  #serve(queue: Queue, now: number): void {
    queue.reader.serve(now);
    for (const cursor of this.registry.cursorsOf(queue)?.values() ?? []) cursor.reader.serve(now);
    this.#wake(queue);
  }

  /** The connection is gone: its wait ends, its open reads go back to where they were. */
  end(session: Session): void {
    session.cancelWait?.();
    for (const sessions of session.visited) sessions.delete(session);
    session.visited.clear();
    const now = this.clock.now();
    for (const [reader, reads] of session.takeAll()) reader.abort(reads, now);
  }

  /** Reading `parent+child`, waiting for a queue, or naming a cursor brings it into being. */
  readerOf(target: ReadTarget, now: number): Reader | undefined {
    let queue = this.registry.queues.get(target.queue);
    if (queue === undefined) {
      const creates = target.queue.indexOf('+') > 0 || (target.timeoutMs > 0 && target.cursor === undefined);
      if (!creates || !writesAllowed(this.status)) return undefined;
      queue = this.registry.findOrCreate(target.queue, now);
    }
    queue.lastUsedAt = now;
    if (target.cursor === undefined) return queue.reader;
    if (queue.hasOtherPriorities && (target.open || !(target.close || target.abort))) {
      throw new BrokerError('bad-options', 'a cursor reads along one order, and this queue holds priorities');
    }
    return this.registry.findOrCreateCursor(queue, target.cursor).reader;
  }

  /** False if there is no such queue. @throws StoreError */
  delete(name: string): boolean {
    const queue = this.registry.queues.get(name);
    if (queue === undefined) return false;
    this.registry.remove(queue);
    return true;
  }

  close(): void {
    this.#sweeper.stop();
    this.#delayer.stop();
    this.flusher.stop();
  }

  /** Reads the store for those who wait and whose message did not come through the window, and for what is too much. */
  #wake(queue: Queue): void {
    const { reader: own } = queue;
    if ((own.waiters.size > 0 || queue.overflows) && own.needsLoad) void this.#loader.load(own);
    const cursors = this.registry.cursorsOf(queue);
    if (cursors === undefined) return;
    for (const { reader } of cursors.values()) {
      if (reader.waiters.size > 0 && reader.needsLoad) void this.#loader.load(reader);
    }
  }

  #checkReadAllowed(session: Session, reader: Reader, target: ReadTarget): void {
    if (target.open) {
      if (session.openCount >= this.#limits.maxOpenReads) session.prune();
      if (session.openCount >= this.#limits.maxOpenReads) {
        throw new BrokerError(
          'too-many-open-reads',
          `this connection holds ${session.openCount} open reads, the most allowed (max_open_reads)`,
        );
      }
    } else if (this.dialect.strictReads && !target.peek && session.oldest(reader) !== undefined) {
      throw new BrokerError('read-is-open', 'a read of this queue is open: close it first');
    }
  }

  /** @throws StoreError, and then the message is back in its place */
  #deliver(session: Session, reader: Reader, target: ReadTarget, message: Message, now: number): void {
    if (!target.peek) {
      if (target.open) {
        const read = reader.open(message, now, reader.source.openReadTimeoutMs);
        session.add(read);
        if (read.deadline > 0) this.#sweeper.watchOpenReads(reader, read.deadline);
      } else {
        try {
          reader.source.acknowledge(message);
        } catch (error) {
          reader.putBack(message);
          throw error;
        }
      }
    }
    this.counters.hits += 1;
    if (this.registry.hasLimited) this.admission.delivered(target.queue, now);
  }

  #wait(session: Session, reader: Reader, target: ReadTarget, done: ReadCallback): typeof later {
    if (this.waits >= this.#limits.maxWaits) {
      throw new BrokerError('too-many-waits', `${this.waits} reads wait, the most allowed (max_waits)`);
    }
    this.waits += 1;
    let timer: Timer;
    const finish = (): void => {
      this.waits -= 1;
      session.cancelWait = undefined;
      session.waitsForMessage = false;
      this.clock.clearTimeout(timer);
    };
    const waiter: Waiter = {
      patient: target.timeoutMs > 0,
      looks: target.peek,
      deliver: (message, error) => {
        finish();
        if (message === undefined) {
          if (error === undefined) this.#miss();
          done(undefined, error);
          return;
        }
        try {
          if (target.peek) reader.putBack(message);
          this.#deliver(session, reader, target, message, this.clock.now());
        } catch (failure) {
          done(undefined, failure as Error);
          return;
        }
        done(message);
      },
    };
    reader.waiters.add(waiter);
    session.waitsForMessage = waiter.patient;
    session.cancelWait = () => {
      reader.waiters.delete(waiter);
      finish();
    };
    if (target.timeoutMs > 0) {
      timer = this.clock.setTimeout(
        () => {
          if (reader.waiters.delete(waiter)) waiter.deliver(undefined);
        },
        Math.min(target.timeoutMs, timerMsMax),
      );
    }
    if (reader.needsLoad) void this.#loader.load(reader);
    return later;
  }

  #miss(): undefined {
    this.counters.misses += 1;
    return undefined;
  }
}
