import { Random, SimulatedClock } from '@rookery/testkit';
import { expect, test } from 'vitest';
import type { Client, Held, Modelled, View } from '../../test/broker-model.ts';
import { SlowStore } from '../../test/slow-store.ts';
import { dialects } from '../dialect.ts';
import { type Message, StoreError } from '../store/store.ts';
import { Broker, later, type ReadCallback } from './broker.ts';
import { BrokerError } from './errors.ts';
import { Session } from './session.ts';

// Random work by several sessions on several queues, against a plain model of what a queue is: each message is
// delivered in the order of its queue, none twice, none lost, and open reads come back to their places. The store is
// slow, its reads come back in any order, and the windows are so small that there is always something to be loaded.

/** Seeds that once failed. */
const keptSeeds: readonly number[] = [20, 112, 2483];
const seeds = Number(process.env.ROOKERY_TEST_SEEDS ?? 1000);

test(`${seeds} seeds of random work keep to the model`, { timeout: 60_000 + seeds * 100 }, async () => {
  for (const seed of [...keptSeeds, ...Array.from({ length: seeds }, (_, index) => index + 1)]) {
    const simulation = new Simulation(seed);
    try {
      await simulation.run(300);
    } catch (error) {
      const trace = simulation.trace.slice(-40).join('\n');
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${trace}`, { cause: error });
    }
  }
});

/** `q`, `p`: plain. `p+c`: a child. `t`: open reads time out. `e`: expires to `x`. `d`: discards its oldest. */
const queueNames = ['q', 'p', 'p+c', 't', 'e', 'x', 'd'] as const;
const configuration = {
  defaults: { maxMemoryBytes: 40 },
  queues: {
    t: { openReadTimeoutMs: 3000 },
    e: { expireToQueue: 'x' },
    d: { maxItems: 6, discardOldest: true },
  },
  aliases: {},
};

class Simulation {
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #store: SlowStore;
  readonly #broker: Broker;
  readonly #reads: (() => void)[] = [];
  readonly #queues = new Map<string, Modelled[]>();
  readonly #views = new Map<string, View>();
  readonly #clients: Client[];
  readonly #errors: Error[] = [];
  #violation: Error | undefined;
  #nextId = 1;
  #nextWait = 1;
  #nextClient = 1;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const late = this.#random.fork('late');
    this.#store = new SlowStore({
      read: () => new Promise((resolve) => this.#reads.push(resolve)),
      readsLate: () => late.chance(0.5),
    });
    this.#broker = new Broker({
      store: this.#store,
      clock: this.#clock,
      dialect: dialects.memcached,
      limits: {
        maxOpenReads: 5,
        maxQueues: 100,
        maxChildren: 10,
        maxCursors: 10,
        maxWaits: 100,
        maxWindowBytes: 120,
        maxBatch: 10,
        maxDelayMs: 1e9,
      },
      configuration,
      onBackgroundError: (error) => this.#errors.push(error),
    });
    for (const name of queueNames) this.#queues.set(name, []);
    this.#clients = Array.from({ length: 4 }, () => this.#newClient());
    // The child must be there before its parent's first message.
    this.#broker.registry.findOrCreate('p+c', this.#now);
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      await this.#step();
      await this.#clock.turn();
      this.#check();
    }
    await this.#finish();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const client = random.pick(this.#clients);
    switch (
      random.weighted({
        put: 30,
        read: 40,
        load: 25,
        disconnect: 4,
        confirm: 3,
        flush: 1,
        delete: 1,
        expire: 1,
        wait: 8,
        idle: 2,
        failRead: 1,
        failAcknowledge: 2,
      })
    ) {
      case 'put':
        return this.#put(random.pick(['q', 'p', 't', 'e', 'x', 'd', 'q', 'p', 'q+p']));
      case 'read':
        if (client.wait === undefined) this.#read(client);
        return;
      case 'load':
        return this.#load();
      case 'disconnect':
        return this.#disconnect(client);
      case 'confirm':
        return this.#confirm(client);
      case 'flush':
        // Not `e` and `x`: the model can't know when what expired has moved.
        return this.#flush(random.pick(['q', 'p', 'p+c', 't', 'd']));
      case 'delete':
        // Not the child: what comes before it is there again would not reach it, and the model can't know.
        return this.#delete(random.pick(['q', 't', 'd']));
      case 'expire':
        this.#note('flush_expired e');
        void this.#broker.flusher.flushExpired('e');
        return;
      case 'wait':
        return this.#advance(random.between(1, 1500));
      case 'idle':
        return this.#advance(8000);
      case 'failRead':
        this.#store.failures.read = new StoreError('store-read-failed', 'simulated');
        await this.#load();
        await this.#clock.turn();
        delete this.#store.failures.read;
        return;
      case 'failAcknowledge':
        this.#store.failures.acknowledge = new StoreError('store-full', 'simulated');
        if (client.wait === undefined) this.#read(client);
        delete this.#store.failures.acknowledge;
    }
  }

  // --- what the sessions do

  #put(name: string): void {
    const body = Buffer.from(`${this.#nextId}`.padStart(8, '0'));
    const id = this.#nextId;
    this.#nextId += 1;
    const expiresAt = this.#random.chance(0.3) ? this.#now + this.#random.between(1, 5000) : 0;
    this.#note(`put ${name} ${id}${expiresAt === 0 ? '' : ` until ${expiresAt - 1.8e12}`}`);
    const target = this.#broker.writeTarget(name);
    // Before the put, for those who wait are served inside it.
    const names = target.queues.flatMap((queue) => (queue === 'p' ? ['p', 'p+c'] : [queue]));
    const added = names.map((queue) => {
      const message: Modelled = { id, order: this.#all(queue).length, expiresAt, state: 'waiting' };
      this.#all(queue).push(message);
      return message;
    });
    const outcome = this.#broker.put(target, 0, expiresAt, body, 0, body.length);
    if (outcome !== 'stored') {
      if (name !== 'd' || outcome !== 'full') throw new Error(`put ${name}: ${outcome}`);
      for (const message of added) message.state = 'gone';
    }
  }

  #read(client: Client): void {
    const random = this.#random;
    const queue = random.pick(queueNames);
    const cursor = (queue === 'q' || queue === 'p') && random.chance(0.3) ? 'c' : undefined;
    const verb = random.pick(['', '', '/open', '/open', '/open', '/close/open', '/close', '/abort', '/peek']);
    const waitMs = random.chance(0.4) && verb !== '/close' && verb !== '/abort' ? random.between(1, 4000) : 0;
    const key = `${queue}${cursor === undefined ? '' : `/cursor=${cursor}`}${verb}${waitMs > 0 ? `/t=${waitMs}` : ''}`;
    const view = this.#view(queue, cursor);
    const target = this.#broker.readTarget(key);
    let order = 0;
    const done: ReadCallback = (message, error) => {
      client.wait = undefined;
      const what = message === undefined ? (error?.message ?? 'nothing') : idOf(message);
      this.#note(`  ${client.name} waited for ${key}: ${what}`);
      this.#guard(() => {
        if (error !== undefined) this.#refused(error);
        else if (message === undefined) {
          if (waitMs === 0) this.#missed(view);
        } else {
          this.#inTurn(view, order);
          this.#delivered(client, view, verb, message);
        }
      });
    };
    try {
      const had = client.held.length;
      this.#lapse();
      if (this.#exists(queue) || waitMs > 0) this.#endOldest(client, view, verb);
      const message = this.#broker.read(client.session, target, done);
      if (message === later) {
        order = this.#nextWait;
        this.#nextWait += 1;
        client.wait = { view, order };
        this.#note(`${client.name} get ${key}: waits`);
        return;
      }
      this.#note(
        `${client.name} get ${key} (holds ${had}): ${message === undefined ? 'nothing' : idOf(message)}`,
      );
      if (message !== undefined) {
        this.#inTurn(view, Number.POSITIVE_INFINITY);
        this.#delivered(client, view, verb, message);
      } else if (target.open || !(target.close || target.abort)) this.#missed(view);
    } catch (error) {
      this.#note(`${client.name} get ${key}: ${(error as Error).message}`);
      this.#refused(error);
    }
  }

  /** What `/close` and `/abort` do to the oldest read, in the model. */
  #endOldest(client: Client, view: View, verb: string): void {
    const closes = verb.includes('close');
    if (!closes && verb !== '/abort') return;
    // A close that the store refuses leaves the read open.
    if (closes && this.#store.failures.acknowledge !== undefined && view.cursor === undefined) return;
    const index = client.held.findIndex((held) => held.view === view);
    if (index < 0) return;
    const [held] = client.held.splice(index, 1);
    if (!held!.void) this.#end(held!, closes ? 'gone' : 'waiting');
  }

  #confirm(client: Client): void {
    const view = this.#view(this.#random.pick(queueNames), undefined);
    const count = this.#random.between(1, 3);
    if (!this.#exists(view.queue)) return;
    this.#lapse();
    const mine = client.held.filter((held) => held.view === view);
    const confirmed = this.#broker.confirm(client.session, this.#broker.readTarget(view.queue), count);
    this.#note(`${client.name} confirm ${view.queue} ${count}: ${confirmed}`);
    if (confirmed !== mine.length >= count) throw new Error('confirm counts otherwise');
    if (!confirmed) return;
    for (const held of mine.slice(0, count)) {
      client.held.splice(client.held.indexOf(held), 1);
      if (!held.void) this.#end(held, 'gone');
    }
  }

  #disconnect(client: Client): void {
    this.#note(`${client.name} disconnects`);
    this.#lapse();
    for (const held of client.held) if (!held.void) this.#end(held, 'waiting');
    client.held = [];
    client.wait = undefined;
    const { session } = client;
    Object.assign(client, this.#newClient());
    this.#broker.end(session);
  }

  #flush(name: string): void {
    this.#note(`flush ${name}`);
    if (!this.#exists(name)) return;
    for (const message of this.#all(name)) message.state = 'gone';
    for (const client of this.#clients) {
      for (const held of client.held) if (held.view.queue === name) held.void = true;
    }
    this.#broker.flusher.flush(name);
  }

  #delete(name: string): void {
    this.#note(`delete ${name}`);
    for (const message of this.#all(name)) message.state = 'gone';
    for (const client of this.#clients) client.held = client.held.filter((held) => held.view.queue !== name);
    for (const view of this.#views.values()) if (view.queue === name) this.#views.delete(view.key);
    this.#broker.delete(name);
  }

  async #load(): Promise<void> {
    if (this.#reads.length === 0) return;
    const [resolve] = this.#reads.splice(this.#random.below(this.#reads.length), 1);
    this.#note('the store has read');
    resolve!();
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`${ms} ms pass`);
    await this.#clock.advance(ms);
    this.#lapse();
  }

  // --- what must hold

  /** A message was handed out: it must be the first that may be. */
  #delivered(client: Client, view: View, verb: string, found: Message): void {
    this.#lapse();
    const id = idOf(found);
    let message = this.#ready(view).find((candidate) => candidate.id === id);
    // What expired in `e` is in `x` as soon as anybody notices.
    if (message === undefined && view.queue === 'x') message = this.#moved(id);
    if (message === undefined) throw new Error(`${id} of ${view.key} can't be delivered: it is not ready`);
    if (view.queue === 'd') {
      for (const older of this.#ready(view)) if (older.order < message.order) older.state = 'gone';
    } else if (view.queue !== 'x') {
      const [first] = this.#ready(view);
      if (first !== message) throw new Error(`${id} of ${view.key} before ${first?.id}`);
    }
    if (verb === '/peek') return;
    const opens = verb.includes('open');
    this.#take(view, message, opens ? 'open' : 'gone');
    if (!opens) return;
    const deadline = view.queue === 't' ? this.#now + 3000 : Number.POSITIVE_INFINITY;
    client.held.push({ view, message, deadline, void: false });
  }

  #missed(view: View): void {
    // What comes back by time, moves or is discarded may do so a moment later than the model thinks.
    if (view.queue === 't' || view.queue === 'x' || view.queue === 'd') return;
    const [first] = this.#ready(view);
    if (first !== undefined) throw new Error(`nothing for ${view.key}, but ${first.id} is there`);
  }

  /** Nobody who waits for the same was there before. */
  #inTurn(view: View, order: number): void {
    for (const { wait, name } of this.#clients) {
      if (wait?.view === view && wait.order < order) throw new Error(`${name} waited longer for ${view.key}`);
    }
  }

  #refused(error: unknown): void {
    if (error instanceof StoreError && /simulated/.test(error.message)) return;
    if (error instanceof BrokerError && error.code === 'too-many-open-reads') return;
    throw error;
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
    if (this.#errors.length > 0) throw this.#errors[0]!;
    const waiting = this.#clients.filter((client) => client.wait !== undefined).length;
    if (this.#broker.waits !== waiting) throw new Error(`${this.#broker.waits} waits, not ${waiting}`);
    for (const { reader } of this.#broker.registry.queues.values()) {
      if (reader.waiters.size > 0 && reader.windowSize > 0)
        throw new Error('somebody waits before a message');
    }
  }

  /** All hang up, all is read: exactly what the model has is there, in its order. */
  async #finish(): Promise<void> {
    for (const client of this.#clients) this.#disconnect(client);
    const settle = async (): Promise<void> => {
      for (;;) {
        await this.#clock.turn();
        if (this.#reads.length === 0) break;
        for (const resolve of this.#reads.splice(0)) resolve();
      }
    };
    await settle();
    for (let second = 0; second < 12; second += 1) {
      await this.#advance(1000);
      await settle();
    }
    this.#check();
    const session = new Session();
    const left = new Map<string, number[]>();
    for (const name of queueNames) {
      const ids: number[] = [];
      left.set(name, ids);
      for (;;) {
        let found: Message | undefined | typeof later;
        found = this.#broker.read(session, this.#broker.readTarget(name), (message) => {
          found = message;
        });
        if (found === later) await settle();
        if (found === undefined || found === later) break;
        ids.push(idOf(found));
      }
      if (name !== 'x' && name !== 'd') {
        const expected = this.#ready(this.#view(name, undefined)).map(({ id }) => id);
        expect(ids, `what is left in ${name}`).toEqual(expected);
      }
    }
    // Which were discarded depends on what was open then; the rest is in order.
    const inD = left.get('d')!;
    const kept = this.#ready(this.#view('d', undefined)).map(({ id }) => id);
    expect(inD, 'what is left in d').toEqual(kept.filter((id) => inD.includes(id)));
    expect(inD.length).toBeLessThanOrEqual(6);
    // What expired is there once, whoever noticed it and when.
    const expired = this.#all('e').filter(
      (message) => message.state === 'waiting' && this.#isExpired(message),
    );
    const inX = this.#ready(this.#view('x', undefined)).concat(expired);
    const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);
    expect(sorted(left.get('x')!), 'what is left in x').toEqual(sorted(inX.map(({ id }) => id)));
    for (const queue of this.#broker.registry.queues.values()) expect(queue.items).toBe(0);
    const cursors = [...this.#broker.registry.queues.values()].flatMap((queue) => [
      ...(this.#broker.registry.cursorsOf(queue)?.values() ?? []),
    ]);
    for (const { reader } of cursors) reader.purged();
    expect(this.#broker.registry.windowBudget.bodyBytes, 'bytes accounted to windows').toBe(0);
    this.#broker.close();
  }

  // --- the model

  get #now(): number {
    return this.#clock.now();
  }

  #all(name: string): Modelled[] {
    return this.#queues.get(name)!;
  }

  #exists(name: string): boolean {
    return this.#broker.registry.queues.has(name);
  }

  #view(queue: string, cursor: string | undefined): View {
    const key = cursor === undefined ? queue : `${queue}/${cursor}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      view = { key, queue, cursor, taken: new Map() };
      this.#views.set(key, view);
    }
    return view;
  }

  #isExpired(message: Modelled): boolean {
    return message.expiresAt !== 0 && message.expiresAt <= this.#now;
  }

  /** What may be delivered, in order. */
  #ready(view: View): Modelled[] {
    return this.#all(view.queue).filter((message) => {
      if (message.state === 'gone' || this.#isExpired(message)) return false;
      return view.cursor === undefined ? message.state === 'waiting' : !view.taken.has(message.id);
    });
  }

  #moved(id: number): Modelled | undefined {
    const source = this.#all('e').find((message) => message.id === id);
    if (source?.state !== 'waiting' || !this.#isExpired(source)) return undefined;
    source.state = 'gone';
    const message: Modelled = { id, order: this.#all('x').length, expiresAt: 0, state: 'waiting' };
    this.#all('x').push(message);
    return message;
  }

  #take(view: View, message: Modelled, state: 'open' | 'gone'): void {
    if (view.cursor === undefined) message.state = state;
    else view.taken.set(message.id, state);
  }

  #end(held: Held, state: 'waiting' | 'gone'): void {
    if (held.view.cursor === undefined) {
      if (held.message.state === 'open') held.message.state = state;
    } else if (state === 'waiting') held.view.taken.delete(held.message.id);
    else held.view.taken.set(held.message.id, 'gone');
  }

  /** Open reads that are due have gone back. */
  #lapse(): void {
    for (const client of this.#clients) {
      for (const held of client.held) {
        if (held.deadline <= this.#now && !held.void) this.#end(held, 'waiting');
      }
      client.held = client.held.filter((held) => held.deadline > this.#now);
    }
  }

  #newClient(): Client {
    const name = `client ${this.#nextClient}`;
    this.#nextClient += 1;
    return { name, session: new Session(), held: [], wait: undefined };
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#violation ??= error as Error;
    }
  }

  #note(what: string): void {
    this.trace.push(`${String(this.#now - 1.8e12).padStart(7)} ${what}`);
  }
}

function idOf(message: Message): number {
  return Number(message.buffer.toString('latin1', message.start, message.end));
}
